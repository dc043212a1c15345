#pragma once

#include <array>
#include <cstdint>

#include "kernels/base/latest.h"
#include "env/spaces/action.h"
#include "env/spaces/limits.h"
#include "governor/loop/control_loop.h"

namespace flyball::cli {

/// What the live display shows, as of one epoch. Plain data of fixed size.
struct LiveState {
  struct Cluster {
    std::int64_t freq_khz = 0;
    double util_mean = 0;
    double temp_c = 0;
    bool capped = false;  ///< the thermal governor holds it down
  };
  struct App {
    bool active = false;
    AppSetting setting;
    std::int64_t latency_ns = 0;  ///< of the last finished job
    std::int64_t deadline_ns = 0;
    std::uint64_t released = 0, finished = 0, missed = 0, infeasible = 0;  ///< so far
    std::uint32_t backlog = 0;
  };
  std::int64_t now_ns = 0;
  double energy_mj = 0;  ///< so far
  double power_mw = 0;   ///< smoothed over about half a second
  int clusters = 0, apps = 0;
  std::array<Cluster, kMaxClusters> cluster{};
  std::array<App, kMaxApps> app{};
  std::uint64_t finished = 0;
  bool explored = false;
  Shield::Verdict verdict = Shield::Verdict::kPassed;
  char why[sizeof(Explanation::text)] = "";
};

/// Keeps the newest state for a display in another thread. Neither waits for the other.
class LiveSink final : public EpochSink {
 public:
  void on_epoch(const EpochEvent& event) override;
  /// For the display's thread: the newest state that it has not seen, or nullptr.
  const LiveState* fetch() { return latest_.fetch(); }

 private:
  LiveState state_;
  Latest<LiveState> latest_;
};

}  // namespace flyball::cli
