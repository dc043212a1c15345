#pragma once

#include <optional>
#include <string>

#include "env/linux/discover/linux_machine.h"
#include "env/linux/sense/energy_model_check.h"
#include "governor/cli/json.h"

namespace flyball::cli {

/// What a Linux machine offers a governor, lacks and has in its way: for people, and to be pasted in
/// a bug report.
struct DoctorFinding {
  LinuxMachine machine;
  std::string counters;  ///< describes its performance counters; empty: not asked
  std::optional<EnergyModelCheck> energy;
};
std::string doctor_text(const DoctorFinding& found, int columns);
Json doctor_json(const DoctorFinding& found);

}  // namespace flyball::cli
