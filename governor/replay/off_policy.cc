#include "governor/replay/off_policy.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <utility>

#include "governor/metrics/stratified.h"

namespace flyball {
namespace {

/// A figure and how sure it is.
struct Estimated {
  double value = 0;
  double error = 0;    ///< standard error
  double freedom = 1;  ///< degrees of it, of the standard error's own estimate
};

/// What weights are worth.
struct Worth {
  double jobs = 0;
  double alone = 0;  ///< if no two of them had a draw in common
};

OffPolicyEstimate around(std::string method, const Estimated& of) {
  const double t = boost::math::quantile(boost::math::students_t(of.freedom), 0.975);
  return {std::move(method),       of.value, of.value - t * of.error,
          of.value + t * of.error, false,    false};
}

/// How many degrees of freedom the sum of squares of such terms has. Terms of a normal distribution have
/// one each; a few that are large are all that is known of the variance (Satterthwaite 1946). Not more
/// than the jobs that the weights are worth leave over when their mean is taken off.
double freedom_of(std::span<const double> terms, const Worth& worth) {
  double squares = 0, fourths = 0;
  for (const double term : terms) {
    squares += term * term;
    fourths += term * term * term * term;
  }
  const double n = static_cast<double>(terms.size());
  const double spread = fourths - squares * squares / n;
  const double freedom = spread > 0 ? 2 * squares * squares / spread : n;
  const double apart = worth.alone > 0 ? worth.jobs / worth.alone : 1;
  return std::clamp(std::min(freedom * apart, worth.jobs - 1), 1.0, n);
}

/// The sum of the products of each term with those before it that it has a draw in common with, at least
/// `least` of them.
double common_products(std::span<const double> terms, std::span<const LoggedJob> jobs,
                       std::size_t least) {
  double sum = 0;
  std::vector<double> sum_to(terms.size() + 1);
  for (std::size_t i = 0; i < terms.size(); ++i) {
    sum_to[i + 1] = sum_to[i] + terms[i];
    const std::size_t lags = std::min(i, std::max(least, jobs[i].shared));
    sum += terms[i] * (sum_to[i] - sum_to[i - lags]);
  }
  return sum;
}

/// Of a sum whose terms are these, less their means. What was decided during a job is of consequence
/// for the next one too, so that neighbours may be correlated, and all that one draw governed.
double error_of_sum(std::span<const double> terms, std::span<const LoggedJob> jobs) {
  double squares = 0;
  for (const double term : terms) squares += term * term;
  return std::sqrt(std::max(squares / 2, squares + 2 * common_products(terms, jobs, 1)));
}

/// How many jobs the weights are worth, where every job counts `count`, or 1 (Kish 1965). Those that have
/// a draw in common tell less than as many others.
Worth worth_of(std::span<const LoggedJob> jobs, const std::vector<double>& count = {}) {
  std::vector<double> weights(jobs.size());
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const double weight = jobs[i].weight * (count.empty() ? 1 : count[i]);
    weights[i] = weight;
    sum += weight;
    squares += weight * weight;
  }
  if (!(squares > 0)) return {};
  for (double& weight : weights) weight -= sum / static_cast<double>(jobs.size());
  const double common = std::max(0.0, common_products(weights, jobs, 0));
  return {sum * sum / (squares + 2 * common), sum * sum / squares};
}

/// Of outcomes that are 0 or `top`. Where one of them is rare the scores of a few jobs, or of none, hold
/// all that is known of it, and the central limit theorem is far. So the interval is at least as wide
/// as a share's in as many jobs as the weights are worth (Kish 1965), or fewer where the scores vary
/// more than so many would (Korn and Graubard 1998). Every job counts `count`, or 1.
OffPolicyEstimate as_proportion(OffPolicyEstimate estimate, double error,
                                std::span<const LoggedJob> jobs, double top,
                                const std::vector<double>& count = {}) {
  error /= top;
  const double share = std::clamp(estimate.value / top, 0.0, 1.0);
  double worth = worth_of(jobs, count).jobs;
  if (error > 0 && share > 0 && share < 1)
    worth = std::min(worth, share * (1 - share) / error / error);
  const auto [low, high] = interval_of_share(share, worth);
  estimate.value = top * share;
  estimate.low = std::clamp(std::min(estimate.low, top * low), 0.0, top);
  estimate.high = std::clamp(std::max(estimate.high, top * high), 0.0, top);
  return estimate;
}

/// The mean of scores that count `count` each, or 1.
Estimated mean_of(std::span<const LoggedJob> jobs, auto score,
                  const std::vector<double>& count = {}) {
  std::vector<double> terms(jobs.size());
  double counts = 0, mean = 0;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const double each = count.empty() ? 1 : count[i];
    counts += each;
    mean += each * score(jobs[i]);
  }
  mean /= counts;
  for (std::size_t i = 0; i < jobs.size(); ++i)
    terms[i] = (count.empty() ? 1 : count[i]) * (score(jobs[i]) - mean);
  return {mean, error_of_sum(terms, jobs) / counts, freedom_of(terms, worth_of(jobs, count))};
}

double weighted(const LoggedJob& job) { return job.weight * job.outcome; }
double corrected(const LoggedJob& job) {
  return job.prediction + job.weight * (job.outcome - job.prediction);
}

Estimated self_normalised(std::span<const LoggedJob> jobs) {
  std::vector<double> terms(jobs.size());
  double weights = 0, value = 0;
  for (const LoggedJob& job : jobs) {
    weights += job.weight;
    value += weighted(job);
  }
  value /= weights;
  for (std::size_t i = 0; i < jobs.size(); ++i)
    terms[i] = jobs[i].weight * (jobs[i].outcome - value);
  return {value, error_of_sum(terms, jobs) / weights, freedom_of(terms, worth_of(jobs))};
}

/// Where the weights are large the prediction stands alone. What that hides is at most the share of
/// the choices that were left out, times the largest error that the prediction was seen to make.
double hidden_by_switch(std::span<const LoggedJob> jobs) {
  double kept = 0, worst = 0;
  for (const LoggedJob& job : jobs) {
    if (job.weight <= kSwitchWeight) kept += job.weight;
    if (job.weight > 0) worst = std::max(worst, std::abs(job.outcome - job.prediction));
  }
  const bool any = std::ranges::any_of(jobs, [](auto& job) { return job.weight > kSwitchWeight; });
  return any ? std::max(0.0, 1 - kept / static_cast<double>(jobs.size())) * worst : 0;
}
double switched(const LoggedJob& job) {
  return job.weight > kSwitchWeight ? job.prediction : corrected(job);
}

/// Each job counts by one over the standard deviation that its score must be expected to have, which
/// goes with the square root of the weight. The last weight that was seen stands for it, of the jobs that
/// have no draw in common with it, since what a job counts may depend on nothing of its own.
std::vector<double> adaptive_counts(std::span<const LoggedJob> jobs) {
  std::vector<double> count;
  count.reserve(jobs.size());
  double last_weight = 1;
  std::size_t seen = 0;  // jobs from which `last_weight` is
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    for (; seen < i - std::min(i, jobs[i].shared); ++seen)
      if (jobs[seen].weight > 0) last_weight = jobs[seen].weight;
    count.push_back(1 / std::sqrt(last_weight));
  }
  return count;
}

}  // namespace

Overlap overlap_of(std::span<const LoggedJob> jobs) {
  Overlap overlap;
  const double n = static_cast<double>(jobs.size());
  double sum = 0, agreed = 0;
  for (const LoggedJob& job : jobs) {
    sum += job.weight;
    agreed += job.weight > 0;
  }
  overlap.agreed_pct = 100 * agreed / n;
  overlap.effective_jobs = worth_of(jobs).jobs;
  overlap.mean_weight = sum / n;
  std::vector<double> terms;
  terms.reserve(jobs.size());
  for (const LoggedJob& job : jobs) terms.push_back(job.weight - overlap.mean_weight);
  overlap.mean_weight_error = error_of_sum(terms, jobs) / n;
  return overlap;
}

std::vector<OffPolicyEstimate> off_policy_estimates(std::span<const LoggedJob> jobs, double top) {
  std::vector<OffPolicyEstimate> estimates;
  // A learner's choices go by the outcomes, and its weights grow: without a prediction the scores are
  // as uneven as these. What is bounded has an interval with room for that.
  bool predicted = false;
  const bool enough = worth_of(jobs).jobs >= kShownJobs;
  const auto add = [&](const char* method, const Estimated& of, double hidden = 0,
                       const std::vector<double>& count = {}) {
    OffPolicyEstimate estimate = around(method, of);
    estimate.low -= hidden;
    estimate.high += hidden;
    estimate.holds = enough || top > 0;
    estimate.holds_for_learner = (enough && predicted) || top > 0;
    estimates.push_back(top > 0 ? as_proportion(std::move(estimate), of.error, jobs, top, count)
                                : std::move(estimate));
  };
  add("inverse_propensity", mean_of(jobs, weighted));
  add("self_normalised", self_normalised(jobs));
  if (std::ranges::any_of(jobs, [](auto& job) { return std::isnan(job.prediction); }))
    return estimates;
  predicted = true;
  add("doubly_robust", mean_of(jobs, corrected));
  add("switch_doubly_robust", mean_of(jobs, switched), hidden_by_switch(jobs));
  const std::vector<double> count = adaptive_counts(jobs);
  add("adaptively_weighted", mean_of(jobs, corrected, count), 0, count);
  return estimates;
}

}  // namespace flyball
