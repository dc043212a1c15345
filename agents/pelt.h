#pragma once

#include <cstdint>

namespace flyball {

/// Per-entity load tracking as the Linux kernel does it (kernel/sched/pelt.c): a signal from 0 to
/// 1024 that sums running time with a half-life of 32 ms, in periods of 1 ms.
class Pelt {
 public:
  static constexpr std::int64_t kPeriodNs = 1'000'000;

  /// `elapsed_ns` have passed, of which the share `running` (0 to 1) was spent running at `scale`:
  /// relative frequency times relative capacity, 0 to 1. What is left of a period is kept for the
  /// next call.
  void advance(std::int64_t elapsed_ns, double running, double scale);
  double util() const { return util_; }
  void set(double util) { util_ = util; }

  /// y^n with y^32 = 1/2.
  static double decay(std::int64_t periods);

 private:
  double util_ = 0;
  std::int64_t rest_ns_ = 0;
};

}  // namespace flyball
