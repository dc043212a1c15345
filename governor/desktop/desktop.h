#pragma once

#include <memory>
#include <optional>
#include <string>

#include "env/linux/discover/sys_tree.h"
#include "governor/desktop/bus.h"
#include "governor/desktop/governed_preference.h"
#include "governor/desktop/provider.h"

namespace flyball {

/// Between the desktop and a governor. While another program provides power profiles, its active one
/// is what the user prefers; while none does, this is the provider. What is plugged in counts too: by
/// UPower, or where that does not run by sysfs.
class Desktop {
 public:
  struct Options {
    std::string state_dir, sysfs_root = "/";
  };
  /// Throws Error (kFailure) without a system bus.
  explicit Desktop(const Options& options);
  Desktop(const Desktop&) = delete;
  Desktop& operator=(const Desktop&) = delete;
  /// Until `stop` is readable. Throws Error (kFailure) when the bus goes away.
  void run(int stop);

 private:
  static int on_owner(sd_bus_message*, void* data, sd_bus_error*);
  static int on_change(sd_bus_message*, void* data, sd_bus_error*);
  void find_provider();
  bool be_provider();
  void look();
  bool on_battery() const;
  std::string degraded() const;

  const SysTree tree_;
  Bus bus_;
  GovernedPreference preference_;
  std::unique_ptr<ProfileProvider> provider_;
  const BusFace* other_ = nullptr;  ///< who provides, when it is not this
  PowerProfile profile_ = PowerProfile::kBalanced;
  std::string said_;
  bool find_ = true, look_ = true;
  BusSlot owner_, legacy_owner_, power_owner_, change_, legacy_change_, power_change_;
};

}  // namespace flyball
