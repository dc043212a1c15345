#pragma once

#include <string>
#include <vector>

#include "env/model/platform_spec.h"

namespace flyball {

/// One steady state of one unit: the application alone on some of its cores, at one OPP, nothing
/// throttled, all temperatures settled at 25 C ambient.
struct CharacteriseRow {
  std::string unit;  ///< cluster name
  double mhz = 0;
  int cores = 0;  ///< active ones
  int level = 0;  ///< index into the application's
  double time_ms = 0;       ///< of one job; 0 for a plain load
  double power_mw = 0;      ///< of the unit's rail
  double energy_mj = 0;     ///< power_mw * time_ms / 1000; 0 for a plain load
  double accuracy_pct = 0;  ///< top-1; 0 for a plain load
  double temp_c = 0;        ///< the hottest node's
};

/// Every unit that the application can run on x OPP x active cores x level, in this order, all
/// ascending but the units, which come as in the file. Mappings that span units have no rows.
std::vector<CharacteriseRow> characterise(const PlatformSpec& spec, const AppProfile& app);

}  // namespace flyball
