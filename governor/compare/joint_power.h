#pragma once

#include <array>
#include <span>
#include <vector>

#include "env/ledger/feasibility.h"
#include "env/sim/sim_model.h"

namespace flyball {

/// A stretch of a run in which background and ambient do not change, with the least that each cluster
/// leaks then.
struct Condition {
  std::int64_t start_ns = 0, stop_ns = 0;
  const BackgroundSegment* background = nullptr;
  std::array<double, kMaxClusters> leakage_mw{};  ///< at 1 V
  std::size_t like = 0;  ///< index of the first one that differs in nothing but time
};

/// Jobs that run at the same time: their costs, and which application has a say in whether idle cores
/// are gated.
struct RunningJob {
  const JobCost* cost = nullptr;
  const AppProfile* profile = nullptr;
};

/// Power of the clusters and rates of jobs at one choice of operating points, as the simulator's
/// engine charges them, but that leakage is the condition's, and that cores which are idle are in
/// their deepest state and awake at once.
class JointPower {
 public:
  JointPower(const SimModel& model, const Condition& condition);

  /// Of a cluster that no job is on, at its cheapest point.
  double idle_mw(int cluster) const { return idle_mw_[static_cast<std::size_t>(cluster)]; }
  /// Of the whole platform, mW, with the clusters that no job is on at their cheapest points. Fills
  /// in each job's work per second. `opp` is of the clusters that jobs are on.
  double mw(const OppChoice& opp, std::span<const RunningJob> jobs,
            std::span<double> work_per_s) const;

 private:
  double cluster_mw(int cluster, int opp, double share, std::span<const RunningJob> jobs) const;

  const SimModel& m_;
  const Condition& k_;
  std::array<double, kMaxClusters> idle_mw_{};  ///< at the cheapest point
};

}  // namespace flyball
