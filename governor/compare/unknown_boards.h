#pragma once

#include <cstdint>
#include <string>

#include "env/model/belief.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "env/sim/faulty_sensors.h"

namespace flyball {

/// A board that is not as its description says: what is true of it, and what is believed.
struct UnknownBoard {
  std::string name;   ///< "odroid_xu3-03-noise"
  std::string drawn;  ///< how it differs, in one line
  PlatformSpec truth;
  Belief belief;
  SensorFaults sensors;
};

/// Board `index` of the suite: as `known` is described, but for factors within ranges that were measured on
/// real chips (two phones with one chip differ by a quarter in power; device trees overstate small
/// cores; some lowest operating points deliver half of what they are called; four cores gain 1.75 to
/// 3.2 times one):
///
///   per cluster: time x0.6 to 1.4, 0 to 40 % of it for memory; dynamic power and leakage x0.5 to 4
///   each, and on every third the lowest operating point runs at half its frequency
///   speed of four cores 1.7 to 3.3 that of one; thermal resistance x0.5 to 2 of what suits its power
///   on every third of those with two kinds of cores the belief takes the small ones for three times as
///   hungry as the description
///   sensors: every other board's is good; the rest are noisy, late, stuck from some time on, or absent
///
/// Board 0 is exactly as described. The same on every machine.
UnknownBoard draw_board(const PlatformSpec& known, int index, std::uint64_t seed);

/// A scenario played over and over until its first application has released `jobs` jobs. Events are
/// those of the first time only.
Scenario stretched(const Scenario& scenario, int jobs);

}  // namespace flyball
