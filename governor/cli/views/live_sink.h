#pragma once

#include <array>
#include <cstdint>

#include "env/model/platform_spec.h"
#include "env/spaces/action.h"
#include "env/spaces/limits.h"
#include "env/spaces/observation.h"
#include "governor/loop/control_loop.h"
#include "governor/metrics/job_count.h"
#include "kernels/base/latest.h"

namespace flyball::cli {

/// What the live display shows, as of one epoch. Plain data of fixed size.
struct LiveState {
  struct Cluster {
    std::int64_t freq_khz = 0;
    double util_mean = 0;
    double temp_c = 0;
    std::uint64_t capped_epochs = 0;  ///< so far: held below the cluster's highest OPP
  };
  struct App {
    bool active = false;
    AppSetting setting;
    std::int64_t latency_ns = 0;  ///< of the last finished job; 0: none has
    std::int64_t deadline_ns = 0;
    JobCount jobs;
    std::uint64_t infeasible = 0;  ///< so far
  };
  /// What happened within one second of the run.
  struct Second {
    float power_mw = 0;
    float deadline_share = 0;  ///< largest latency over deadline of the jobs that finished
    std::uint32_t missed = 0;
  };
  static constexpr int kHistory = 60;

  Observation now;  ///< for the table of monitors
  std::int64_t now_ns = 0;
  double energy_mj = 0;  ///< so far
  double power_mw = 0;   ///< smoothed over about half a second
  int clusters = 0, apps = 0;
  std::array<Cluster, kMaxClusters> cluster{};
  std::array<App, kMaxApps> app{};
  std::uint64_t ran = 0;        ///< of all applications
  double accuracy_sum_pct = 0;  ///< of the jobs that ran
  std::int64_t seconds = 0;     ///< complete ones; the last kHistory of them are in `history`
  // Second s is at s % kHistory. Not Boost's ring, which allocates when it is copied.
  std::array<Second, kHistory> history{};
  // Of the last decision that was made for a job: most are made while there is none.
  Decision decision;
  Shield::Verdict verdict = Shield::Verdict::kPassed;
};

/// Keeps the newest state for a display in another thread. Neither waits for the other.
class LiveSink final : public EpochSink {
 public:
  explicit LiveSink(const PlatformSpec& platform) : platform_(platform) {}
  void on_epoch(const EpochEvent& event) noexcept override;
  /// For the display's thread: the newest state that it has not seen, or nullptr.
  const LiveState* fetch() { return latest_.fetch(); }

 private:
  void add_to_history(const Observation& now);
  void keep_decision(const EpochEvent& event);

  const PlatformSpec& platform_;
  LiveState state_;
  LiveState::Second second_;  ///< the one that is not complete
  double second_energy_mj_ = 0;
  std::int64_t second_ns_ = 0;
  bool decided_for_job_ = false;
  Latest<LiveState> latest_;
};

}  // namespace flyball::cli
