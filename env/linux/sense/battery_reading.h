#pragma once

#include <cmath>
#include <vector>

#include "env/linux/discover/linux_machine.h"
#include "env/linux/sense/held_file.h"

namespace flyball {

/// The charge of the system's batteries together: not of a mouse's, nor of a headset's.
class BatteryReading {
 public:
  BatteryReading(const SysTree& tree, const LinuxMachine& machine, SettingCalls& calls);

  bool present() const { return !batteries_.empty(); }
  /// False, and all as it was, when one of them does not answer. Does not allocate.
  bool read() noexcept;
  /// Of what they hold when they are full, as they are now that they have aged.
  double charge_pct() const { return charge_pct_; }
  /// NaN where a battery tells no energy, only a percentage.
  double left_mj() const { return left_mj_; }
  bool discharges() const { return discharges_; }

 private:
  struct Battery {
    HeldFile status, capacity;     ///< %
    HeldFile energy, energy_full;  ///< uWh
    HeldFile charge, charge_full;  ///< uAh
    HeldFile voltage;              ///< uV
  };
  /// mJ; NaN where they do not tell.
  static double energy_mj(HeldFile& energy, HeldFile& charge, HeldFile& voltage) noexcept;

  std::vector<Battery> batteries_;
  double charge_pct_ = 100, left_mj_ = std::nan("");
  bool discharges_ = false;
};

}  // namespace flyball
