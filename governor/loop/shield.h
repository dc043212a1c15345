#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "agents/agent.h"
#include "env/model/model.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "env/spaces/action.h"
#include "env/spaces/observation.h"
#include "governor/loop/slowdown.h"

namespace flyball {

/// Stands between agent and platform and belongs to no agent. It
///  - clamps every index to the platform's tables and every frequency to the thermal cap,
///  - replaces a configuration that is known (model scaled by the slowdown observed) to miss a
///    deadline when a safe one exists, for agents that learn,
///  - takes over with the fastest safe configuration after a run of misses or when sensors vanish,
///    until the stream is healthy again.
/// Baselines run with clamping only: they are measured as they are.
///
/// A replacement is the cheapest configuration, by the model's energy, that is predicted to be on
/// time. All candidates are made and sorted when the shield is: per mapping and width one rung per
/// OPP (19 on the A15; a mapping that spans clusters climbs them together), some 1,800 per
/// application on an Exynos 5422. An epoch whose action passes looks at one prediction per
/// application; a replacement scans the sorted times, 4 bytes each, once or twice.
class Shield {
 public:
  struct Options {
    bool guard = true;  ///< false: clamp only
    /// False for an agent that decides again at every release: an idle application is left alone.
    bool guard_idle = true;
    int takeover_misses =
        5;  ///< in a row, of one application; jobs that nothing could save don't count
    int release_after = 10;  ///< jobs on time in a row before control goes back
    int sensor_epochs = 20;  ///< epochs without sensors before it takes over
    int hold_jobs = 100;     ///< gives control back after so many jobs even if misses go on: the
                             ///< fastest configuration evidently does not help, and it heats
    double risk = 1.0;    ///< mean absolute deviations of the slowdown added before "known to miss"
    double safety = 2.0;  ///< the same for what replaces it, so that it is not replaced again
  };
  enum class Verdict : std::uint8_t { kPassed, kClamped, kReplaced, kTakenOver };

  /// The references outlive the shield. Allocates; nothing after does.
  Shield(const PlatformSpec& platform, const Scenario& scenario, Options options);
  /// Makes `action` admissible for the state `now`.
  Verdict check(const Observation& now, Action& action);
  /// What came of `applied`.
  void learn(const Observation& outcome, const Action& applied);

  bool in_control() const { return taken_over_; }
  /// The time that the guard expects of a job (mean, slowdown included), ns.
  double predicted_ns(int app, const AppSetting& setting, const OppChoice& opp) const;

 private:
  struct Candidate {
    OppChoice opp{};
    AppSetting setting;
  };
  struct AppTable {
    const AppProfile* profile = nullptr;
    std::vector<float> time_ns;         ///< parallel to `candidates`
    std::vector<Candidate> candidates;  ///< ascending energy
    std::array<bool, kMaxMappings> supported{};
    std::array<std::uint8_t, kMaxMappings> cluster_mask{};
    std::array<std::uint8_t, kMaxLevels> fastest_mapping{};  ///< per width, at the highest OPPs
    int fallback_mapping = 0;
  };

  void build(int app);
  bool clamp(const Observation& now, Action& action) const;
  bool replace(const Observation& now, int app, Action& action) const;
  void take_over(const Observation& now, Action& action) const;
  bool misses(const Observation& now, int app, const Action& action) const;
  int find_safe(const Observation& now, int app, double limit_ns, double deviations) const;
  bool used_by_other(const Observation& now, int app, int cluster, const Action& action) const;
  void count_job(const JobRecord& job);

  const PlatformSpec& platform_;
  const Scenario& scenario_;
  Options options_;
  std::vector<AppTable> apps_;
  SlowdownEstimate slowdown_;
  std::array<int, kMaxApps> misses_in_row_{};
  int on_time_in_row_ = 0;
  int held_jobs_ = 0;
  int blind_epochs_ = 0;
  bool taken_over_ = false;
};

}  // namespace flyball
