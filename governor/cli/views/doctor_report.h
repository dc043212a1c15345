#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "env/linux/discover/linux_machine.h"
#include "env/linux/sense/energy_model_check.h"
#include "env/linux/sense/read_costs.h"
#include "governor/cli/json.h"

namespace flyball::cli {

/// What epochs took that decided and wrote nothing.
struct EpochCost {
  std::uint64_t epochs = 0;
  double seconds = 0;
  double cpu_us = 0;      ///< each, of the thread that decides
  double busy_cores = 0;  ///< in the mean: what is idle is not read

  double epochs_a_second() const { return static_cast<double>(epochs) / seconds; }
  double share_of_a_core_pct() const { return 100 * 1e-6 * cpu_us * epochs_a_second(); }
};

/// What a Linux machine offers a governor, lacks, has in its way and costs: for people, and to be pasted in
/// a bug report.
struct DoctorFinding {
  LinuxMachine machine;
  std::string counters;  ///< describes its performance counters; empty: not asked
  std::optional<EnergyModelCheck> energy;
  std::vector<ReadCost> reads;
  std::optional<EpochCost> epochs;  ///< absent where no clock can be governed
};
std::string doctor_text(const DoctorFinding& found, int columns);
Json doctor_json(const DoctorFinding& found);

}  // namespace flyball::cli
