// What the Q-learner expects before it has learned anything: times, limits, states and priors from
// the profile table and the tracker.

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <span>

#include "agents/q_learning.h"
#include "agents/q_learning_bounds.h"

namespace flyball {

namespace {

// Share of jobs that miss although the margin says they would not; what the fast table starts from.
constexpr std::array<double, QLearning::kMargins.size()> kPriorRisk{0.08,  0.04,  0.02,
                                                                    0.006, 0.002, 0.001};
constexpr double kNominalMargin = 1.5;  // the one at which mappings are compared
// Deviations of a time that is not known well: a mapping is left out, a clock is chosen by.
constexpr double kChoiceCaution = 0.5, kClockCaution = 1.5;
constexpr double kCautiousCase = 4;  // rather a doubtful mapping than none for less of a worst case
constexpr double kCoolC = 10;        // this far below the temperature limit nothing is hot

int bin(double value, std::initializer_list<double> edges) {
  int b = 0;
  for (double edge : edges) b += value >= edge;
  return b;
}

/// What all actions have in front of them, at the best expected of it, so that an action never tried
/// does not look better for having none.
void add_future(std::span<DoubleQ::Prior> priors, const QValue& best) {
  const double factor = QLearning::kTable.discount / (1 - QLearning::kTable.discount);
  for (DoubleQ::Prior& p : priors) {
    if (!p.masked) p.value = p.value + factor * best;
  }
}

}  // namespace

double QLearning::limit_ns(const Observation& now, int slot, Job job, double work) const {
  const AppObservation& seen = now.app[slot];
  const JobTracker& jobs = apps_.find(slot)->jobs;
  const std::int64_t relative_ns = relative_deadline_ns(seen.required);
  if (relative_ns <= 0) return std::numeric_limits<double>::max();
  const double unused_ns = (1 - kDeadlineUse) * static_cast<double>(relative_ns);
  const auto deadline_of = [&](std::uint32_t i) {
    const std::int64_t own = seen.deadline_ns(i);
    return own < std::numeric_limits<std::int64_t>::max() ? own : seen.release_ns(i) + relative_ns;
  };
  double limit = std::numeric_limits<double>::max();
  std::uint32_t first = 0;
  double work_to_do = work;
  double begin_ns = static_cast<double>(now.now_ns) + latency_ns_;
  if (job == Job::kRunning) {
    // Part of the work is done, but never so much that nothing seems left.
    work_to_do = std::max(work - jobs.progress(), 0.05 * work);
  } else if (seen.running.busy) {
    first = 1;
    if (seen.backlog > 1) {
      // It waits for the one that runs, which is taken to end at its deadline at the latest.
      const double share = std::max(0.0, 1 - jobs.progress() / std::max(1e-9, jobs.work(0)));
      const double spent = static_cast<double>(now.now_ns - seen.running.start_ns);
      const double rest = jobs.progress() > 0.1 * jobs.work(0)
                              ? spent * share / std::max(0.1, 1 - share)
                              : std::max(0.0, static_cast<double>(deadline_of(0)) - begin_ns);
      begin_ns += std::min(rest, std::max(0.0, static_cast<double>(deadline_of(0)) - begin_ns));
    }
  }
  if (first >= seen.backlog) {
    // Nothing is there yet: the job comes, and has all its time less the latency at low clocks.
    return std::max(0.0, static_cast<double>(relative_ns) - unused_ns - latency_ns_) / work_to_do;
  }
  for (std::uint32_t i = first; i < seen.backlog; ++i) {
    const double left = static_cast<double>(deadline_of(i)) - begin_ns - unused_ns;
    limit = std::min(limit, std::max(0.0, left) / work_to_do);
    work_to_do += work;
  }
  return limit;
}

double QLearning::hurried(const ProfilePoint& planned, const ProfilePoint& top, double slow,
                          double left_ns, double work, double worst) const {
  const double planned_ns = planned.time_ns * slow, top_ns = top.time_ns * slow;
  if (planned_ns <= top_ns || work <= 0) return 1;
  const double until_ns =
      (left_ns - worst * top_ns) / (1 - top_ns / planned_ns) - static_cast<double>(interval_ns_);
  const double done = std::clamp(until_ns / planned_ns, 0.0, work) / work;
  return done + (1 - done) * top.energy_mj / planned.energy_mj;
}

double QLearning::point_limit_ns(const Observation& now, int slot, Job job, int mapping,
                                 double deviations) const {
  const JobTracker& jobs = apps_.find(slot)->jobs;
  double limit = limit_ns(now, slot, job, jobs.work(deviations));
  const App& app = *apps_.find(slot);
  const double unsure = 1 + kClockCaution * app.profile->unsure(mapping, app.level);
  if (job == Job::kNext && now.app[slot].setting.mapping != mapping) {
    limit -= platform_.migration_us * 1e3 + platform_.cold_cache_ms * 1e6;
  }
  return limit / (jobs.slowdown(mapping) * unsure);
}

bool QLearning::in_reach_later(const Observation& now, int slot, const OppChoice& opp) const {
  const App& app = *apps_.find(slot);
  const RunningJobObservation& run = now.app[slot].running;
  if (now.app[slot].required.deadline_ns <= 0) return true;
  OppChoice top{};
  for (int c = 0; c < now.cluster_count; ++c) top[c] = now.cluster[c].opp_cap;
  const double slow = app.jobs.slowdown(run.setting.mapping);
  const AppProfile& profile = apps_.profile(slot);
  const double now_ns = app.time_now.ns(platform_, profile, run.setting, opp) * slow;
  const double top_ns = app.time_at_top.ns(platform_, profile, run.setting, top) * slow;
  const double worst = app.jobs.work(app.worst_case) - app.jobs.progress();
  const double left_ns = static_cast<double>(run.deadline_ns - now.now_ns) - latency_ns_;
  const double dt = static_cast<double>(interval_ns_);
  const double after = worst - dt / now_ns;
  return after <= 0 ? worst > 0 : after * top_ns <= kDeadlineUse * (left_ns - dt);
}

QLearning::Situation QLearning::assess(const Observation& now, int slot, Job job) const {
  const App& app = *apps_.find(slot);
  const AppObservation& seen = now.app[slot];
  Situation s;
  s.objective = seen.required.objective;
  s.energy_weight = energy_weight(now.energy_preference, seen.required);
  s.allowed = allowance(now, slot);
  if (s.objective == Objective::kLatency) {
    const auto allowed_ns = static_cast<double>(relative_deadline_ns(seen.required));
    s.latency_per_ns = 1 / (allowed_ns > 0 ? allowed_ns : 1e9);
  }
  s.miss_cost = weights_.miss * seen.required.priority;
  double hottest_c = -273;
  bool throttled = false;
  for (int c = 0; c < now.cluster_count; ++c) {
    s.cap[c] = now.cluster[c].opp_cap;
    hottest_c = std::max(hottest_c, now.cluster[c].temp_c);
    throttled = throttled || s.cap[c] < platform_.clusters[static_cast<std::size_t>(c)].max_opp();
  }
  const int level = job == Job::kRunning ? seen.running.setting.level : app.level;
  double fastest_ns = std::numeric_limits<double>::max();
  for (int m = 0; m < app.profile->mapping_count(); ++m) {
    if (!app.profile->supports(m)) continue;
    fastest_ns = std::min(fastest_ns,
                          app.profile->frontier(m, level).front().time_ns * app.jobs.slowdown(m));
  }
  s.pressure = limit_ns(now, slot, job, app.jobs.work(0)) / fastest_ns;

  const int pressure = bin(s.pressure, {1, 1.3, 1.7, 2.3, 3.3, 5, 10});
  const int load = bin(app.jobs.other_load(), {0.1, 0.4});
  const int heat =
      throttled ? 2 : bin(hottest_c, {weights_.temp_limit_c - kCoolC, weights_.temp_limit_c});
  const bool queue = seen.backlog > 1 ||
                     (app.jobs.shortest_gap_ns() > 0 &&
                      app.jobs.shortest_gap_ns() < static_cast<double>(seen.required.deadline_ns));
  const int varies = bin(app.jobs.deviation() / app.jobs.work(0), {0.05, 0.12});
  const int preference = bin(now.energy_preference, {0.35, 0.65});
  s.slow_state = ((pressure * 3 + load) * 3 + heat) * 2 + queue;
  s.fast_state = (((pressure * 3 + varies) * 3 + heat) * 3 + preference) * 2 + queue;
  return s;
}

void QLearning::slow_priors(const Observation& now, int slot, const Situation& s, double worst_case,
                            double use, SlowPriors& prior, bool& any_safe) const {
  const App& app = *apps_.find(slot);
  std::fill_n(prior.begin(), app.profile->mapping_count(), DoubleQ::Prior{});
  any_safe = false;
  QValue best;
  double best_value = -std::numeric_limits<double>::max();
  double least_excess = std::numeric_limits<double>::max();
  int quickest = -1;
  const double limit_worst = limit_ns(now, slot, Job::kNext, app.jobs.work(worst_case));
  const double limit_nominal = limit_ns(now, slot, Job::kNext, app.jobs.work(kNominalMargin));
  const double move_ns = platform_.migration_us * 1e3 + platform_.cold_cache_ms * 1e6;
  for (int m = 0; m < app.profile->mapping_count(); ++m) {
    const auto frontier = app.profile->frontier(m, app.level);
    if (frontier.empty()) continue;
    const int top = cheapest_within(frontier, 0, s.cap);
    if (top < 0) continue;
    const double top_ns = frontier[static_cast<std::size_t>(top)].time_ns;
    const double slow = app.jobs.slowdown(m);
    const double unsure =
        worst_case < kCautiousCase ? 1 : 1 + kChoiceCaution * app.profile->unsure(m, app.level);
    const bool moves = m != now.app[slot].setting.mapping;
    if (top_ns * unsure > (limit_worst - (moves ? move_ns : 0)) / slow) {
      const double excess = top_ns * slow;
      if (excess < least_excess) least_excess = excess, quickest = m;
      continue;
    }
    int i = cheapest_within(frontier, (limit_nominal - (moves ? move_ns : 0)) / slow, s.cap);
    DoubleQ::Prior& p = prior[static_cast<std::size_t>(m)];
    const double worst = app.jobs.work(worst_case);
    const double scale = app.jobs.work(0) * slow;
    const auto longer = [&](const ProfilePoint& point) {
      return hurried(point, frontier[static_cast<std::size_t>(top)], slow,
                     limit_worst * worst - (moves ? move_ns : 0), app.jobs.work(0), worst);
    };
    if (s.allowed.bounded() || s.objective == Objective::kLatency) {
      const double ratio = energy_ratio(app, m, app.level, true);
      const Allowance allowed = s.allowed.part(use > 0 ? use : 1).of_jobs(scale, ratio);
      const PermittedPoint found =
          s.objective == Objective::kLatency
              ? quickest_permitted(frontier, i, s.cap, allowed, longer)
              : slowest_permitted(frontier, i, s.cap, allowed, longer);
      if (use > 0 && !found.permitted) continue;
      i = found.index;
      const ProfilePoint& point = frontier[static_cast<std::size_t>(i)];
      if (!found.permitted) {
        p.value.penalty -= s.miss_cost + weights_.budget * allowed.over_mj(point, longer(point)) *
                                             scale * ratio / weights_.ref_energy_mj;
      }
      p.value.penalty -= s.latency_per_ns * point.time_ns * scale;
    }
    const ProfilePoint& planned = frontier[static_cast<std::size_t>(i)];
    p.masked = false;
    p.value.energy = -planned.energy_mj / weights_.ref_energy_mj * scale *
                     (moves ? 1 + kMoveShare : 1) * longer(planned);
    const double value = p.value.weighed(s.energy_weight);
    if (value > best_value) best_value = value, best = p.value;
    any_safe = true;
  }
  if (!any_safe && quickest >= 0) {
    // Nothing is safe, so it is not a matter of energy: what is fastest.
    DoubleQ::Prior& p = prior[static_cast<std::size_t>(quickest)];
    p = {{0, -s.miss_cost}, false};
    best = p.value;
  }
  add_future(std::span(prior).first(static_cast<std::size_t>(app.profile->mapping_count())), best);
}

void QLearning::fast_priors(const Observation& now, int slot, const Situation& s,
                            FastPriors& prior) const {
  const App& app = *apps_.find(slot);
  const AppSetting& setting = now.app[slot].running.setting;
  for (DoubleQ::Prior& p : prior) p = {};
  const auto frontier = app.profile->frontier(setting.mapping, setting.level);
  QValue best;
  double best_value = -std::numeric_limits<double>::max();
  const double scale =
      app.jobs.work(0) * app.jobs.slowdown(setting.mapping) / weights_.ref_energy_mj;
  const double slow = app.jobs.slowdown(setting.mapping);
  const double left_ns =
      kDeadlineUse *
      (static_cast<double>(now.app[slot].running.deadline_ns - now.now_ns) - latency_ns_);
  const int top = cheapest_within(frontier, 0, s.cap);
  for (std::size_t z = 0; z < kMargins.size() && top >= 0; ++z) {
    const int i = point_within(now, slot, static_cast<int>(z));
    if (i < 0) continue;
    prior[z].masked = false;
    const ProfilePoint& planned = frontier[static_cast<std::size_t>(i)];
    const double longer = hurried(planned, frontier[static_cast<std::size_t>(top)], slow, left_ns,
                                  app.jobs.work(0) - app.jobs.progress(),
                                  app.jobs.work(app.worst_case) - app.jobs.progress());
    prior[z].value = {-scale * planned.energy_mj * longer, -s.miss_cost * kPriorRisk[z]};
    const double value = prior[z].value.weighed(s.energy_weight);
    if (value > best_value) best_value = value, best = prior[z].value;
  }
  add_future(prior, best);
}

void QLearning::meet_company(const Observation& now, int slot) {
  std::array<double, kMaxClusters> cores{};
  for (int b = 0; b < apps_.count(); ++b) {
    const App* other = apps_.find(b);
    if (other == nullptr || b == slot) continue;
    const RunningJobObservation& run = now.app[b].running;
    const std::size_t mapping = run.busy ? run.setting.mapping : now.app[b].setting.mapping;
    for (std::size_t c = 0; c < platform_.clusters.size(); ++c) {
      cores[c] += (run.busy ? 1 : other->jobs.duty()) * platform_.mappings[mapping].cores[c];
    }
  }
  apps_.find(slot)->jobs.set_company(cores);
}

}  // namespace flyball
