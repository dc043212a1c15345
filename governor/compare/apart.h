#pragma once

#include <array>
#include <span>
#include <vector>

#include "governor/compare/joint_power.h"

namespace flyball {

/// Two applications that run at the same time, their coupling relaxed: they share clocks, and what a
/// cluster takes because it is on, but do not slow each other. For platforms on which they can run
/// together in too many ways to go through.
///
/// Power of a cluster that is on at an operating point is split into what it takes at least with anybody
/// on it, and what each job adds. Where there are more threads than cores all get the same part of what
/// they want; whatever a job earns there is at most what it would earn with the part that it has alone,
/// or nothing.
class ApartPower {
 public:
  /// What the jobs that may run have in common on a cluster.
  struct Users {
    double least_busy = 1;    ///< of any job on it, at most 1 core
    double most_threads = 0;  ///< of one job of each application together
    bool gated = false;       ///< idle cores are, for some application
  };
  ApartPower(const SimModel& model, const Condition& condition,
             const std::array<Users, kMaxClusters>& users)
      : m_(model), k_(condition), users_(users) {}

  /// The least that a cluster takes at an operating point while some job is on it, without what the jobs
  /// add.
  double on_mw(int cluster, int opp) const;
  /// The most that a job earns at a price for its work, mJ/s, where the clusters are on anyhow.
  double earned_mw(const RunningJob& job, const OppChoice& opp, double price_mj) const;

 private:
  const SimModel& m_;
  const Condition& k_;
  const std::array<Users, kMaxClusters>& users_;
};

}  // namespace flyball
