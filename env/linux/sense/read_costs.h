#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "env/linux/actuate/setting_calls.h"
#include "env/linux/discover/linux_machine.h"

namespace flyball {

/// What it takes to read files of one kind through held descriptors.
struct ReadCost {
  std::string what;      ///< "load", "clocks"
  int files = 0;         ///< that could be read
  double us_a_file = 0;  ///< in the median of the readings
  const char* when = "";
};

/// Reads what a governor reads, again and again for a moment, and writes nothing. Kinds of which no
/// file can be read are left out.
std::vector<ReadCost> measure_read_costs(const SysTree& tree, const LinuxMachine& machine,
                                         SettingCalls& calls);

}  // namespace flyball
