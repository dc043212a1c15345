#pragma once

#include <array>
#include <cstdint>

#include "env/model/model.h"
#include "env/model/platform_spec.h"
#include "env/spaces/limits.h"
#include "env/spaces/observation.h"

namespace flyball {

/// How much slower jobs run than the model says they would alone, per application and set of
/// clusters (background load on one cluster says nothing of another): 1 means as modelled.
///
/// Each finished job gives one sample, its real time over the model's time at the frequencies that
/// were in force while it ran. Samples are winsorised to a factor of 2 around the estimate, so that
/// one preempted job moves it by at most its EWMA weight. What is not used drifts back to 1 at 2 %
/// a job (half gone after 34), or clusters that were once crowded would never be tried again.
class SlowdownEstimate {
 public:
  explicit SlowdownEstimate(const PlatformSpec& platform);
  /// The applications' profiles, by application index; set while building.
  void set_profile(int app, const AppProfile* profile) { profiles_[app] = profile; }
  /// Takes in an epoch: the frequencies it ran at and the jobs that finished in it.
  void learn(const Observation& outcome, const Action& applied);

  double mean(int app, unsigned cluster_mask) const { return cell_[app][cluster_mask].mean; }
  /// Mean absolute deviation of the samples.
  double deviation(int app, unsigned cluster_mask) const {
    return cell_[app][cluster_mask].deviation;
  }

 private:
  static constexpr int kHistory = 32;
  struct Cell {
    double mean = 1;
    double deviation = 0.05;  // before anything is known: the models are within 5 %
  };
  struct Stretch {
    std::int64_t from_ns = 0;
    OppChoice opp{};
  };

  void note_opps(std::int64_t from_ns, const OppChoice& opp);
  double slowdown_of(const JobRecord& job) const;
  void take(const JobRecord& job);

  const PlatformSpec& platform_;
  std::array<const AppProfile*, kMaxApps> profiles_{};
  std::array<std::array<Cell, 1u << kMaxClusters>, kMaxApps> cell_{};
  std::array<Stretch, kHistory> history_{};  ///< ring of frequency settings, newest at head_
  int head_ = 0;
  int stretches_ = 0;
};

}  // namespace flyball
