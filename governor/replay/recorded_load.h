#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "governor/replay/recorded_run.h"

namespace flyball {

/// What else kept the clusters busy in a recorded run, in windows of a tenth of a second or more: how many
/// cores, and what one of them takes. Each round holds what was recorded against what the same decisions
/// come to in simulation, with the load that is believed so far.
class RecordedLoad {
 public:
  RecordedLoad(const RecordedRun& run, const PlatformSpec& platform);

  void begin_round();
  /// As the next epoch of the record came out.
  void add_epoch(const Observation& played);
  /// A job took so many times as long on its cores as the simulation says, for the same cycles.
  void add_job(const JobRecord& recorded, const Mapping& mapping, double slower);
  /// What ran then is not what was recorded: nothing is to be learned from it.
  void distrust(std::int64_t from_ns, std::int64_t to_ns);
  void correct();
  /// The last round changed next to nothing.
  bool settled() const { return settled_; }
  std::vector<BackgroundLoad> loads() const;

 private:
  struct Window {
    double cores = 0, core_nf = 0;  ///< believed
    // Sums over the round.
    double ns = 0;
    double recorded_cores = 0, played_cores = 0;  ///< busy, times ns
    double missing_mw = 0;                        ///< power, times ns
    double v2f = 0;                               ///< V^2 GHz, times ns
    double job_ns = 0, slower = 0;                ///< of jobs there, and times that
  };
  /// Of an epoch as it was played.
  struct Played {
    struct Cluster {
      float util_mean = 0, power_mw = 0;
    };
    std::array<Cluster, kMaxClusters> cluster{};
    bool trusted = true;
  };
  void take_epochs();
  template <class Function>
  void over_windows(std::size_t cluster, std::int64_t from_ns, std::int64_t to_ns,
                    const Function& function);

  const RecordedRun& run_;
  const PlatformSpec& platform_;
  std::int64_t window_ns_;
  std::vector<Played> played_;
  bool settled_ = false;
  std::array<std::vector<Window>, kMaxClusters> windows_;
};

}  // namespace flyball
