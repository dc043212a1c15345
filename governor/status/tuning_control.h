#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "env/linux/linux_platform.h"
#include "env/linux/linux_tuning.h"
#include "governor/loop/control_loop.h"
#include "governor/status/status_sink.h"
#include "kernels/base/latest.h"

namespace flyball {

/// What 'set' takes.
const std::vector<std::string>& tuning_keys();

/// What may be set of a running governor: answers requests "set KEY VALUE [POLICY]" and "counters"
/// by the control socket's thread, and hands what is set to the loop's.
class TuningControl final : public EpochSink {
 public:
  static constexpr std::int64_t kShortestEpochNs = 5'000'000, kLongestEpochNs = 1'000'000'000;

  /// All outlive it; the platform is tuned as it is to be at first. `policy` is who decides, `explores` whether anything of that is left to chance.
  TuningControl(LinuxPlatform& platform, const SeqSlot<CounterTotals>& counters, std::string policy,
                bool explores);

  /// By the server's thread.
  std::string answer(std::string_view request, bool may_control);
  /// By the loop's.
  void on_epoch(const EpochEvent&) noexcept override {
    if (const LinuxTuning* tuning = wanted_.fetch()) platform_.tune(*tuning);
  }

 private:
  struct Target {
    std::vector<std::string> policies;
    std::vector<std::int64_t> table_khz;
  };
  std::string set(const std::vector<std::string>& words);
  std::string set_epoch(const std::string& value);
  std::string set_preference(const std::string& value);
  std::string set_limit(bool maximum, const std::string& value, const std::string& policy);
  std::string counters() const;

  LinuxPlatform& platform_;
  const SeqSlot<CounterTotals>& counters_;
  const std::string policy_;
  const bool explores_;
  std::vector<Target> clusters_;
  LinuxTuning tuning_;  ///< as last asked for
  Latest<LinuxTuning> wanted_;
};

}  // namespace flyball
