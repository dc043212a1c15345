#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "env/linux/discover/linux_machine.h"

namespace flyball {

/// What the Linux kernel's energy model says that the CPUs took, beside what a sensor measured.
struct EnergyModelCheck {
  std::string source;  ///< of the measurement; it has in it what else its rails feed
  double seconds = 0;
  double busy_cores = 0;  ///< mean
  double modelled_mw = 0, measured_mw = 0;

  /// Less than this and the figure is of what idles.
  static constexpr double kLeastBusyCores = 0.05;
  bool is_comparable() const { return busy_cores >= kLeastBusyCores && measured_mw > 0; }
  double off_pct() const { return 100 * (modelled_mw / measured_mw - 1); }
};

/// Looks for that long, and turns nothing. Nothing where the machine has no energy model in watts, or
/// measures no power.
std::optional<EnergyModelCheck> check_energy_model(const SysTree& tree, const LinuxMachine& machine,
                                                   std::int64_t look_ns);

}  // namespace flyball
