#pragma once

#include <array>

#include "env/model/platform_spec.h"

namespace flyball {

/// What Linux believes of energy, which places tasks and is not the truth: the power of a CPU at an
/// operating point is a coefficient of the device tree times V^2 f, nothing leaks, and idle costs
/// nothing (dev_pm_opp_of_register_em(), em_cpu_energy() in include/linux/energy_model.h of 6.1).
/// A platform file that gives no `dynamic_power_coefficient` stands for a device tree that was
/// measured with its own applications: the mean of their core_nf. 1 nF V^2 MHz is 1 mW, so a
/// coefficient in uW/MHz/V^2 is 1000 times a capacitance in nF.
class EnergyModel {
 public:
  explicit EnergyModel(const PlatformSpec& platform);

  double coefficient(int cluster) const { return coefficient_[static_cast<std::size_t>(cluster)]; }
  /// Of a cluster whose busiest CPU has `max_util`, and all together `sum_util`, of a capacity of
  /// `capacity` each: the point that schedutil would choose, at the power per work that it has.
  double energy(int cluster, double max_util, double sum_util, double capacity) const;

 private:
  const PlatformSpec& platform_;
  std::array<double, kMaxClusters> coefficient_{};
};

}  // namespace flyball
