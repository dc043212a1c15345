#pragma once

#include <string>

#include "governor/machine/named_model.h"

namespace flyball::cli {

/// What 'profile --table' was asked for.
struct ProfileTable {
  std::string file;  ///< the CSV
  std::string sysfs_root = "/";
  std::string state_dir;
  double seconds = 4;   ///< of each point
  double settle_s = 0;  ///< before it; 0: as the sensor needs
  bool dry_run = false;
  bool json = false;
};

/// Measures time and power of the model on each cluster of this machine, at each clock and number of
/// cores, and writes the table. Takes the clocks over, and gives all back. Throws Error.
int profile_table(const ProfileTable& asked, const NamedModel& model);

}  // namespace flyball::cli
