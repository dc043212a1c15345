#include "governor/metrics/metrics.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>

#include "env/ledger/arrivals.h"

namespace flyball {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

}  // namespace

const std::vector<MetricField>& metric_fields() {
  static const std::vector<MetricField> kFields = {
      {"energy_mj_per_job", "energy", "mJ/job", 2, &Metrics::energy_mj_per_job,
       "Energy of the whole platform from the beginning of the run to its end, idle time included, "
       "divided by the jobs that finished: E / n."},
      {"deadline_miss_pct", "missed", "% of jobs", 2, &Metrics::deadline_miss_pct,
       "Jobs that finished after their deadline or were dropped, of all whose fate is known at the "
       "end: 100 (late + dropped) / resolved. A job that is still open counts once its deadline is "
       "past."},
      {"infeasible_pct", "infeasible", "% of jobs", 2, &Metrics::infeasible_pct,
       "Jobs that no configuration could have brought in on time at the accuracy asked for, taken "
       "alone, of those whose fate is known."},
      {"dropped_pct", "dropped", "% of jobs", 2, &Metrics::dropped_pct,
       "Jobs that never ran since the queue was full, of those whose fate is known. They have no "
       "latency, accuracy or energy of their own."},
      {"accuracy_pct", "accuracy", "% top-1", 2, &Metrics::accuracy_pct,
       "Mean over the finished jobs of the expected top-1 accuracy of the level each ran at."},
      {"over_budget_pct", "over budget", "% of jobs", 2, &Metrics::over_budget_pct,
       "Jobs that took more energy than their application's budget for one, of the finished and "
       "the "
       "dropped of applications that have one; a dropped job has kept none. Absent where no "
       "application has one."},
      {"utility_pct", "utility", "% of best", 1, &Metrics::utility_pct,
       "What the user got of what could be had (quality of experience), mean over the finished and "
       "the dropped jobs, weighted by priority. A job is worth the accuracy of its level over that "
       "of "
       "the most accurate one; nothing if it was dropped, below the accuracy floor or over the "
       "energy "
       "budget; and when late, nothing, or with a grace what of that was left: accuracy / best * "
       "max(0, 1 - late / grace)."},
      {"latency_p50_ms", "latency p50", "ms", 2, &Metrics::latency_p50_ms,
       "Median over the finished jobs of the time from release to finish, from a histogram within "
       "0.4 %."},
      {"latency_p99_ms", "latency p99", "ms", 2, &Metrics::latency_p99_ms,
       "99th percentile over the finished jobs of the time from release to finish, within 0.4 %."},
      {"power_mean_mw", "mean power", "mW", 0, &Metrics::power_mean_mw,
       "Energy of the whole platform divided by the time of the run: E / t."},
      {"temp_peak_c", "peak temp", "C", 1, &Metrics::temp_peak_c,
       "Highest temperature of any cluster's hottest sensor at the end of any epoch."},
      {"throttled_s", "throttled", "s", 1, &Metrics::throttled_s,
       "Time of the epochs that ended with a thermal cap on some cluster below its highest "
       "operating point."},
      {"transitions", "clock changes", "", 0, &Metrics::transitions,
       "Changes of a cluster's operating point from one epoch to the next, summed over the "
       "clusters."},
      {"migrations", "migrations", "", 0, &Metrics::migrations,
       "Jobs that ran on another mapping than the job before of the same application."},
      {"level_switches", "level switches", "", 0, &Metrics::level_switches,
       "Jobs that ran at another level (width and precision, or the application's own knobs) than "
       "the job before of the same application."},
      {"decide_p50_ns", "decide p50", "ns", 0, &Metrics::decide_p50_ns,
       "Median time of a decision, of the epochs in which something was decided anew. Measured on "
       "this machine; all else follows from the seed."},
      {"time_in_interval_pct", "time held", "% of forecasts", 1, &Metrics::time_in_interval_pct,
       "Of the jobs that had a forecast, those whose execution time was within the predicted mean "
       "+- 1.645 standard deviations: 90 % where predictions are right."},
      {"energy_in_interval_pct", "energy held", "% of forecasts", 1,
       &Metrics::energy_in_interval_pct, "The same of the job's energy."},
      {"energy_gap_to_bound_pct", "gap to bound", "% energy", 2, &Metrics::energy_gap_to_bound_pct,
       "Energy over the least that any policy needs that meets the same jobs on the same seed, "
       "less "
       "1: 100 (E / E_bound - 1). A lower bound, never below 0, and not known to be reachable. "
       "Whoever misses more is held against a bound for fewer jobs."},
      {"energy_gap_to_best_found_pct", "gap to best found", "% energy", 2,
       &Metrics::energy_gap_to_best_found_pct,
       "Energy over that of the best schedule found on the same seed, less 1: of all that were "
       "run, "
       "yardsticks and those that know the future included, the least among those whose unmet jobs "
       "are within 0.5 points of the fewest. What a job that is still open at the end lacks is "
       "charged to everybody alike. Absent where a policy leaves more jobs unmet than that."},
      {"energy_gap_to_informed_pct", "gap to informed", "% energy", 2,
       &Metrics::energy_gap_to_informed_pct,
       "Energy over that of the best policy on the same seed that knows the true board but not the "
       "future, less 1, reckoned as for the best schedule found. Absent where a policy leaves more "
       "than 0.5 points more jobs unmet than the best of these."},
      {"efficiency_pct", "efficiency", "% of performance", 1, &Metrics::efficiency_pct,
       "rt-app's efficiency of a cpufreq governor: with S the slack that a wake-up loses, 100 "
       "(S_powersave - S) / (S_powersave - S_performance) on the same seed. 100 %: as quick as at "
       "the highest clock, 0 %: as at the lowest. S is slack_lost_pct. Absent but for plain load, "
       "whose work no policy chooses."},
      {"slack_lost_pct", "slack lost", "% of deadline", 2, &Metrics::slack_lost_pct,
       "Mean over the finished jobs of the time from release to finish as a share of that from "
       "release to deadline; above 100 % where they are late.",
       false},
      {"jobs", "jobs", "", 0, &Metrics::jobs, "Jobs that finished.", false},
      {"reward", "reward", "", 1, &Metrics::reward,
       "Sum over the run of what the loop paid: less the weighted costs of energy, misses, "
       "accuracy below the floor, budgets and heat.",
       false},
  };
  return kFields;
}

void MetricsSink::on_bind(int slot, const Binding& binding, const Observation&) {
  lacks_accuracy_[static_cast<std::size_t>(slot)] =
      !binding.levels.empty() &&
      std::none_of(binding.levels.begin(), binding.levels.end(),
                   [](const auto& level) { return level.accuracy_pct > 0; });
  const int app = truth_ != nullptr ? truth_->find_app(binding.profile) : -1;
  true_profile_[static_cast<std::size_t>(slot)] =
      app < 0 ? nullptr : &truth_->apps[static_cast<std::size_t>(app)];
  double& best_pct = best_accuracy_pct_[static_cast<std::size_t>(slot)];
  best_pct = 0;
  for (const DeclaredLevel& level : binding.levels) {
    best_pct = std::max(best_pct, level.accuracy_pct);
  }
  if (app >= 0) best_pct = true_profile_[static_cast<std::size_t>(slot)]->highest_accuracy_pct();
}

float MetricsSink::accuracy_of(const JobRecord& job) const {
  const AppProfile* const known = true_profile_[job.app];
  if (known == nullptr || job.setting.level >= known->levels.size()) return job.accuracy_pct;
  return static_cast<float>(known->levels[job.setting.level].accuracy_pct);
}

double MetricsSink::utility_of(const JobRecord& job, const Requirements& required) const {
  const double best_pct = best_accuracy_pct_[job.app];
  const double budget_mj = required.energy_budget_mj;
  if (job.dropped || best_pct <= 0) return 0;
  if (budget_mj > 0 && job.energy_mj > budget_mj) return 0;
  // Both as declared: what was asked for is known in no other terms.
  if (job.accuracy_pct < job.accuracy_floor_pct) return 0;
  const double kept = job.missed ? 1 - miss_of(required, job.finish_ns - job.deadline_ns) : 1;
  // Records carry accuracies as floats.
  return static_cast<double>(accuracy_of(job) / static_cast<float>(best_pct)) * kept;
}

void MetricsSink::count_job(const JobRecord& job, const Requirements& required) {
  if (job.infeasible) ++infeasible_;
  if (!lacks_accuracy_[job.app]) {
    utility_ += required.priority * utility_of(job, required);
    utility_weight_ += required.priority;
  }
  if (job.dropped) return;
  latency_.add(job.latency_ns());
  if (!lacks_accuracy_[job.app]) {
    accuracy_sum_ += accuracy_of(job);
    ++accuracy_jobs_;
  }
  if (job.deadline_ns > job.release_ns && job.deadline_ns != kNeverNs) {
    slack_lost_ += static_cast<double>(job.latency_ns()) /
                   static_cast<double>(job.deadline_ns - job.release_ns);
    ++slack_jobs_;
  }
  AppTotals& app = apps_[job.app];
  if (app.ran) {
    migrations_ += job.setting.mapping != app.last.mapping;
    level_switches_ += job.setting.level != app.last.level;
  }
  app.ran = true;
  app.last = job.setting;
  forecasts_.ended(job);
}

void MetricsSink::on_epoch(const EpochEvent& event) noexcept {
  const Observation& now = event.outcome;
  elapsed_ns_ += now.epoch_ns;
  energy_mj_ += now.energy_mj;
  reward_ += event.reward.total();
  unlisted_ += now.jobs_unlisted;
  if (event.decided.fresh) decide_.add(event.decide_ns);
  forecasts_.expect(event.decided);

  bool capped = false;
  for (int c = 0; c < now.cluster_count; ++c) {
    const ClusterObservation& cluster = now.cluster[c];
    temp_peak_c_ = std::max(temp_peak_c_, cluster.temp_c);
    capped = capped || cluster.opp_cap < platform_.clusters[c].max_opp();
    transitions_ += cluster.opp != event.before.cluster[c].opp;
  }
  if (capped) throttled_ns_ += now.epoch_ns;

  for (int a = 0; a < now.app_count; ++a) {
    const AppObservation& state = now.app[a];
    apps_[a].jobs.add(state, now.now_ns);
    if (state.required.energy_budget_mj > 0) budgeted_ += state.finished + state.dropped;
    over_budget_ += state.over_budget;
  }
  for (const JobRecord& job : now.jobs()) {
    if (job.app < kMaxApps) count_job(job, now.app[job.app].required);
  }
}

Metrics MetricsSink::result() const {
  std::uint64_t finished = 0, missed = 0, settled = 0, dropped = 0;
  for (const AppTotals& app : apps_) {
    finished += app.jobs.finished;
    dropped += app.jobs.dropped;
    missed += app.jobs.settled_and_missed();
    settled += app.jobs.settled();
  }
  const auto share_pct = [&](std::uint64_t part) {
    return settled > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(settled)
                       : kNothing;
  };
  Metrics m;
  m.jobs = static_cast<double>(finished);
  m.energy_mj_per_job = finished > 0 ? energy_mj_ / m.jobs : kNothing;
  m.deadline_miss_pct = share_pct(missed);
  // An epoch lists so many jobs and counts the others, of which this is not known.
  const std::uint64_t known = settled - std::min(settled, unlisted_);
  m.infeasible_pct = known > 0 ? 100.0 * static_cast<double>(infeasible_) /
                                     static_cast<double>(known)
                               : kNothing;
  // Records carry accuracies as floats, good for seven digits.
  m.accuracy_pct =
      accuracy_jobs_ > 0
          ? std::round(accuracy_sum_ / static_cast<double>(accuracy_jobs_) * 1e4) * 1e-4
          : kNothing;
  if (slack_jobs_ > 0) m.slack_lost_pct = 100 * slack_lost_ / static_cast<double>(slack_jobs_);
  m.latency_p50_ms = finished > 0 ? latency_.percentile(50) * 1e-6 : kNothing;
  m.latency_p99_ms = finished > 0 ? latency_.percentile(99) * 1e-6 : kNothing;
  m.power_mean_mw = elapsed_ns_ > 0 ? energy_mj_ / (static_cast<double>(elapsed_ns_) * 1e-9) : 0;
  m.temp_peak_c = elapsed_ns_ > 0 ? temp_peak_c_ : 0;
  m.throttled_s = static_cast<double>(throttled_ns_) * 1e-9;
  m.transitions = static_cast<double>(transitions_);
  m.migrations = static_cast<double>(migrations_);
  m.level_switches = static_cast<double>(level_switches_);
  m.decide_p50_ns = decide_.count() > 0 ? decide_.percentile(50) : kNothing;
  m.dropped_pct = share_pct(dropped);
  m.time_in_interval_pct = forecasts_.time_held_pct();
  m.energy_in_interval_pct = forecasts_.energy_held_pct();
  m.reward = reward_;
  if (budgeted_ > 0) {
    m.over_budget_pct = 100.0 * static_cast<double>(over_budget_) / static_cast<double>(budgeted_);
  }
  if (utility_weight_ > 0) m.utility_pct = 100 * utility_ / utility_weight_;
  return m;
}

Estimate estimate(const std::vector<double>& values) {
  if (values.empty()) return {kNothing, kNothing, kNothing};
  const double n = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  const double mean = sum / n;
  if (!std::isfinite(mean)) return {kNothing, kNothing, kNothing};
  if (values.size() == 1) return {mean, mean, mean};
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double standard_error = std::sqrt(squares / (n - 1) / n);
  const double t = boost::math::quantile(boost::math::students_t(n - 1), 0.975);
  return {mean, mean - t * standard_error, mean + t * standard_error};
}

}  // namespace flyball
