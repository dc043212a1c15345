#pragma once

#include <cstdint>
#include <optional>

namespace flyball {

/// How cpufreq's sampling governors come to a load (dbs_update() and dbs_update_util_handler() in
/// drivers/cpufreq/cpufreq_governor.c of Linux 6.1). The first call of the scheduler (LinuxGovernor
/// has which those are) a sampling rate or more after the last sample takes the next, over all that
/// time. So that a task that slept for long does not begin at the lowest clock, a CPU that idled for
/// more than two sampling rates then shows the load of the sample before, once.
///
/// Linux looks at each CPU and takes the largest load. Whoever tells of epochs counts the CPUs: what the
/// time of the busiest has grown by.
class LoadSample {
 public:
  static constexpr std::int64_t kRateNs = 10'000'000;

  struct Result {
    int load_pct = 0;
    int missed = 0;  ///< sampling rates that the busiest CPU idled for; 0: two or fewer
  };

  /// An epoch has passed; `busy_share` is the busiest CPU's.
  void pass(std::int64_t epoch_ns, double busy_share) {
    elapsed_ns_ += epoch_ns;
    busy_ns_ += busy_share * static_cast<double>(epoch_ns);
  }
  /// The policy's limits moved: the next call samples, however soon.
  void limits_changed() { soon_ = true; }
  /// The scheduler calls. Empty: it is too early for a sample.
  std::optional<Result> take();

 private:
  std::int64_t elapsed_ns_ = 0;  ///< since the last sample
  double busy_ns_ = 0;           ///< of it
  int previous_pct_ = 0;         ///< load to show after a long sleep; 0: none, or shown already
  bool soon_ = true;             ///< a governor that just started samples at the first call
};

/// Busy share to whole percent, rounded down as in dbs_update().
int load_pct(double busy_share);

}  // namespace flyball
