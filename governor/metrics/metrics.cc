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
  latency_sum_ms_ += static_cast<double>(job.latency_ns()) * 1e-6;
  count_time(job, required);
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

void MetricsSink::count_time(const JobRecord& job, const Requirements& required) {
  const auto ns = static_cast<double>(job.execution_ns());
  const bool below_floor = job.accuracy_pct < job.accuracy_floor_pct;
  if (!job.missed && !below_floor) ++apps_[job.app].met;
  if (job.accuracy_floor_pct > 0) {
    floored_ns_ += ns;
    if (below_floor) below_floor_ns_ += ns;
  }
  if (required.energy_budget_mj > 0) {
    budgeted_ns_ += ns;
    if (job.energy_mj > required.energy_budget_mj) over_energy_ns_ += ns;
  }
}

void MetricsSink::on_epoch(const EpochEvent& event) noexcept {
  const Observation& now = event.outcome;
  elapsed_ns_ += now.epoch_ns;
  energy_mj_ += now.energy_mj;
  reward_ += event.reward.total();
  unlisted_ += now.jobs_unlisted;
  if (event.decided.fresh) decide_.add(event.decide_ns);
  forecasts_.expect(event.decided);
  decide_sum_ns_ += static_cast<double>(event.decide_ns);

  bool capped = false;
  for (int c = 0; c < now.cluster_count; ++c) {
    const ClusterObservation& cluster = now.cluster[c];
    temp_peak_c_ = std::max(temp_peak_c_, cluster.temp_c);
    capped = capped || cluster.opp_cap < platform_.clusters[c].max_opp();
    transitions_ += cluster.opp != event.before.cluster[c].opp;
  }
  if (capped) throttled_ns_ += now.epoch_ns;

  bool late = false, power_budgeted = false, over_power = false;
  for (int a = 0; a < now.app_count; ++a) {
    const AppObservation& state = now.app[a];
    apps_[a].jobs.add(state, now.now_ns);
    late = late || (state.backlog > 0 && state.deadline_ns(0) < now.now_ns);
    if (state.bound() && state.required.power_budget_mw > 0) {
      power_budgeted = true;
      over_power = over_power || now.power_mw > state.required.power_budget_mw;
    }
    if (state.required.energy_budget_mj > 0) budgeted_ += state.finished + state.dropped;
    over_budget_ += state.over_budget;
  }
  if (late) late_ns_ += now.epoch_ns;
  if (power_budgeted) power_budgeted_ns_ += now.epoch_ns;
  if (over_power) over_power_ns_ += now.epoch_ns;
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
  add_to(m);
  return m;
}

double MetricsSink::lowest_trip_c() const {
  double lowest_c = kNothing;
  for (const TripPoint& trip : platform_.trips)
    if (trip.kind != TripPoint::Kind::kCritical && !(trip.temp_c >= lowest_c)) lowest_c = trip.temp_c;
  return lowest_c;
}

/// R. Jain, D.-M. Chiu and W. Hawe, "A quantitative measure of fairness and discrimination for resource
/// allocation in shared computer systems", DEC TR-301, 1984.
double MetricsSink::fairness() const {
  double sum = 0, squares = 0;
  int apps = 0;
  for (const AppTotals& app : apps_) {
    if (app.jobs.settled() == 0) continue;
    const double share = 1 - static_cast<double>(app.jobs.settled_and_missed()) /
                                 static_cast<double>(app.jobs.settled());
    sum += share;
    squares += share * share;
    ++apps;
  }
  return apps > 1 && squares > 0 ? sum * sum / (apps * squares) : kNothing;
}

void MetricsSink::add_to(Metrics& m) const {
  const auto pct = [](double part, double whole) {
    return whole > 0 ? 100 * part / whole : kNothing;
  };
  const auto elapsed = static_cast<double>(elapsed_ns_);
  std::uint64_t met = 0;
  for (const AppTotals& app : apps_) met += app.met;
  if (m.jobs > 0) m.energy_delay_mj_ms = m.energy_mj_per_job * latency_sum_ms_ / m.jobs;
  if (energy_mj_ > 0) m.jobs_per_joule = 1000 * static_cast<double>(met) / energy_mj_;
  m.time_late_pct = pct(static_cast<double>(late_ns_), elapsed);
  m.time_below_floor_pct = pct(below_floor_ns_, floored_ns_);
  m.time_over_energy_pct = pct(over_energy_ns_, budgeted_ns_);
  m.time_over_power_pct =
      pct(static_cast<double>(over_power_ns_), static_cast<double>(power_budgeted_ns_));
  m.time_error_pct = forecasts_.time_error_pct();
  m.energy_error_pct = forecasts_.energy_error_pct();
  m.miss_brier = forecasts_.miss_brier();
  m.fairness = fairness();
  if (elapsed_ns_ > 0) {
    m.knob_churn_per_s = (m.transitions + m.migrations + m.level_switches) / (elapsed * 1e-9);
    m.thermal_margin_k = lowest_trip_c() - temp_peak_c_;
    m.decide_share_pct = pct(decide_sum_ns_, elapsed);
  }
}

Estimate estimate(const std::vector<double>& values) {
  if (values.empty()) return {kNothing, kNothing, kNothing};
  const double n = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  const double mean = sum / n;
  if (!std::isfinite(mean)) return {kNothing, kNothing, kNothing};
  // One has no spread: an interval of no width would claim that it is known.
  if (values.size() == 1) return {mean, kNothing, kNothing};
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double standard_error = std::sqrt(squares / (n - 1) / n);
  const double t = boost::math::quantile(boost::math::students_t(n - 1), 0.975);
  return {mean, mean - t * standard_error, mean + t * standard_error};
}

}  // namespace flyball
