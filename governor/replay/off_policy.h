#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace flyball {

/// One job of a record, as it counts for a policy that did not run it.
struct LoggedJob {
  double outcome = 0;  ///< what was measured of it, in any unit
  /// One over the probability with which the record's policy did what it did, where the other policy
  /// would have done the same; 0 where it would not.
  double weight = 0;
  /// Of the outcome under what the other policy would have done, made before whatever was drawn that
  /// its weight is of; NaN: none.
  double prediction = 0;
  std::size_t shared = 0;  ///< jobs just before it whose weights have a draw in common with its own
};

/// What a policy would have had on average, from the record of another.
struct OffPolicyEstimate {
  std::string method;
  double value = 0;
  double low = 0, high = 0;  ///< 95 % interval
  /// Simulated records show that it covers the truth in 93 % of them and more: of a policy that did not
  /// change, and of one that learned while they were made.
  bool holds = false, holds_for_learner = false;
};

/// How much of a record tells of the policy.
struct Overlap {
  double agreed_pct = 0;  ///< jobs in which it would have done what was done
  /// (sum of weights)^2 / sum of their squares, fewer where jobs have draws in common.
  double effective_jobs = 0;
  double mean_weight = 0;        ///< 1 in expectation where every choice of its had a chance
  double mean_weight_error = 0;  ///< standard error of that
};
Overlap overlap_of(std::span<const LoggedJob> jobs);

/// From how many effective jobs on the intervals of energy and time are shown to hold.
inline constexpr double kShownJobs = 50;

/// How far a weight may go in switch-DR before the prediction is trusted more.
inline constexpr double kSwitchWeight = 20;

/// The estimators, with intervals by Student's t, whose degrees of freedom go by how uneven the scores
/// are: inverse propensity scoring (Horvitz
/// and Thompson 1952), the same self-normalised (Swaminathan and Joachims 2015), and where every job
/// has a prediction the doubly robust one (Dudik et al. 2011), switch-DR (Wang et al. 2017), and for a
/// record whose policy learned while it was made the doubly robust one with weights that depend on the
/// past alone and even its variance out (Hadad et al. 2021). At least 2 jobs. Where all outcomes are
/// either 0 or `top` > 0, such as a missed deadline, say so: then values and intervals stay within these,
/// and the intervals hold however rare one of them is. For other outcomes `top` is 0.
std::vector<OffPolicyEstimate> off_policy_estimates(std::span<const LoggedJob> jobs,
                                                    double top = 0);

}  // namespace flyball
