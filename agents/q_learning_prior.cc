// What the Q-learner expects before it has learned anything: times, limits, states and priors from
// the profile table and the tracker.

#include <algorithm>
#include <initializer_list>
#include <limits>

#include "agents/q_learning.h"

namespace flyball {

namespace {

// Share of jobs that miss although the margin says they would not; what the fast table starts from.
constexpr std::array<double, QLearning::kMargins.size()> kPriorRisk{0.08,  0.04,  0.02,
                                                                    0.006, 0.002, 0.001};
constexpr double kNominalMargin = 1.5;  // the one at which mappings are compared
constexpr double kCoolC = 10;           // this far below the temperature limit nothing is hot

int bin(double value, std::initializer_list<double> edges) {
  int b = 0;
  for (double edge : edges) b += value >= edge;
  return b;
}

}  // namespace

double QLearning::limit_ns(const Observation& now, int app, double work) const {
  const AppObservation& seen = now.app[app];
  const JobTracker& jobs = apps_[static_cast<std::size_t>(app)].jobs;
  std::int64_t deadline_ns = seen.required.deadline_ns;
  if (deadline_ns <= 0) deadline_ns = seen.required.period_ns;
  if (deadline_ns <= 0) return std::numeric_limits<double>::max();
  double limit = std::numeric_limits<double>::max();
  // The running job has part of its work behind it, but never so much that nothing seems left.
  double work_to_do = std::max(work - jobs.progress(), 0.05 * work);
  for (std::uint32_t i = 0; i < std::max(1u, seen.backlog); ++i) {
    const std::int64_t release = seen.backlog > 0 ? jobs.release_ns(i) : now.now_ns;
    const double left = static_cast<double>(release + deadline_ns - now.now_ns) -
                        (1 - kDeadlineUse) * static_cast<double>(deadline_ns);
    limit = std::min(limit, std::max(0.0, left) / work_to_do);
    work_to_do += work;
  }
  return limit;
}

double QLearning::point_limit_ns(const Observation& now, int app, int mapping,
                                 double deviations) const {
  const App& state = apps_[static_cast<std::size_t>(app)];
  double limit = limit_ns(now, app, state.jobs.work(deviations));
  if (now.app[app].setting.mapping != mapping) {
    limit -= platform_.migration_us * 1e3 + platform_.cold_cache_ms * 1e6;
  }
  return limit / state.jobs.slowdown(mapping);
}

bool QLearning::in_reach_later(const Observation& now, int a, const OppChoice& opp) const {
  const App& app = apps_[static_cast<std::size_t>(a)];
  const AppObservation& seen = now.app[a];
  if (seen.required.deadline_ns <= 0) return true;
  const AppSetting running = app.jobs.running();
  const AppProfile& profile =
      platform_.apps[static_cast<std::size_t>(scenario_.apps[static_cast<std::size_t>(a)].profile)];
  const Mapping& mapping = platform_.mappings[running.mapping];
  OppChoice top{};
  for (int c = 0; c < now.cluster_count; ++c) top[c] = now.cluster[c].opp_cap;
  const double slow = app.jobs.slowdown(running.mapping);
  const double now_ns = execution_ns(platform_, profile, mapping, running.level, opp) * slow;
  const double top_ns = execution_ns(platform_, profile, mapping, running.level, top) * slow;
  const double worst = app.jobs.work(app.worst_case) - app.jobs.progress();
  const double left_ns =
      static_cast<double>(app.jobs.release_ns(0) + seen.required.deadline_ns - now.now_ns);
  const double dt = static_cast<double>(interval_ns_);
  const double after = worst - dt / now_ns;
  return after <= 0 ? worst > 0 : after * top_ns <= kDeadlineUse * (left_ns - dt);
}

QLearning::Situation QLearning::assess(const Observation& now, int app) const {
  const App& state = apps_[static_cast<std::size_t>(app)];
  const AppObservation& seen = now.app[app];
  Situation s;
  s.weight_energy = 2 * now.energy_preference / weights_.ref_energy_mj;
  s.miss_cost = weights_.miss * seen.required.priority;
  double hottest_c = -273;
  bool throttled = false;
  for (int c = 0; c < now.cluster_count; ++c) {
    s.cap[c] = now.cluster[c].opp_cap;
    hottest_c = std::max(hottest_c, now.cluster[c].temp_c);
    throttled = throttled || s.cap[c] < platform_.clusters[static_cast<std::size_t>(c)].max_opp();
  }
  double fastest_ns = std::numeric_limits<double>::max();
  for (int m = 0; m < state.profile.mapping_count(); ++m) {
    if (!state.profile.supports(m)) continue;
    fastest_ns =
        std::min(fastest_ns, state.profile.frontier(m, state.accuracy_level).front().time_ns *
                                 state.jobs.slowdown(m));
  }
  s.pressure = limit_ns(now, app, state.jobs.work(0)) / fastest_ns;

  const int pressure = bin(s.pressure, {1, 1.3, 1.7, 2.3, 3.3, 5, 10});
  const int load = bin(state.jobs.other_load(), {0.1, 0.4});
  const int heat =
      throttled ? 2 : bin(hottest_c, {weights_.temp_limit_c - kCoolC, weights_.temp_limit_c});
  const bool queue = seen.backlog > 1 || (state.jobs.shortest_gap_ns() > 0 &&
                                          state.jobs.shortest_gap_ns() <
                                              static_cast<double>(seen.required.deadline_ns));
  const int varies = bin(state.jobs.deviation() / state.jobs.work(0), {0.05, 0.12});
  const int preference = bin(now.energy_preference, {0.35, 0.65});
  s.slow_state = ((pressure * 3 + load) * 3 + heat) * 2 + queue;
  s.fast_state = (((pressure * 3 + varies) * 3 + heat) * 3 + preference) * 2 + queue;
  return s;
}

void QLearning::slow_priors(const Observation& now, int app, const Situation& s, double worst_case,
                            std::array<double, kMaxMappings>& prior, bool& any_safe) const {
  const App& state = apps_[static_cast<std::size_t>(app)];
  prior.fill(DoubleQ::kMasked);
  any_safe = false;
  double best = DoubleQ::kMasked;
  double least_excess = std::numeric_limits<double>::max();
  int quickest = -1;
  for (int m = 0; m < state.profile.mapping_count(); ++m) {
    const auto frontier = state.profile.frontier(m, state.accuracy_level);
    if (frontier.empty()) continue;
    const int top = cheapest_within(frontier, 0, s.cap);
    if (top < 0) continue;
    const double top_ns = frontier[static_cast<std::size_t>(top)].time_ns;
    const double worst_limit = point_limit_ns(now, app, m, worst_case);
    if (top_ns > worst_limit) {
      const double excess = top_ns * state.jobs.slowdown(m);
      if (excess < least_excess) least_excess = excess, quickest = m;
      continue;
    }
    const int i = cheapest_within(frontier, point_limit_ns(now, app, m, kNominalMargin), s.cap);
    prior[static_cast<std::size_t>(m)] = -s.weight_energy *
                                         frontier[static_cast<std::size_t>(i)].energy_mj *
                                         state.jobs.work(0) * state.jobs.slowdown(m);
    if (m != now.app[app].setting.mapping) prior[static_cast<std::size_t>(m)] *= 1 + kMoveShare;
    best = std::max(best, prior[static_cast<std::size_t>(m)]);
    any_safe = true;
  }
  if (!any_safe) {
    // Nothing is safe, so it is not a matter of energy: what is fastest.
    if (quickest >= 0) prior[static_cast<std::size_t>(quickest)] = best = -s.miss_cost;
  }
  // The future, at the best expected of it, so that an action never tried does not look better for
  // having none.
  const double future = kTable.discount / (1 - kTable.discount) * best;
  for (double& p : prior) {
    if (p > DoubleQ::kMasked) p += future;
  }
}

void QLearning::fast_priors(const Observation& now, int app, const Situation& s, int mapping,
                            std::array<double, kMargins.size()>& prior) const {
  const App& state = apps_[static_cast<std::size_t>(app)];
  prior.fill(DoubleQ::kMasked);
  const auto frontier = state.profile.frontier(mapping, state.accuracy_level);
  double best = DoubleQ::kMasked;
  const double scale = s.weight_energy * state.jobs.work(0) * state.jobs.slowdown(mapping);
  for (std::size_t z = 0; z < kMargins.size(); ++z) {
    const int i = cheapest_within(frontier, point_limit_ns(now, app, mapping, kMargins[z]), s.cap);
    if (i < 0) continue;
    prior[z] =
        -scale * frontier[static_cast<std::size_t>(i)].energy_mj - s.miss_cost * kPriorRisk[z];
    best = std::max(best, prior[z]);
  }
  const double future = kTable.discount / (1 - kTable.discount) * best;
  for (double& p : prior) {
    if (p > DoubleQ::kMasked) p += future;
  }
}

void QLearning::meet_company(const Observation& now, int a) {
  std::array<double, kMaxClusters> cores{};
  for (int b = 0; b < static_cast<int>(apps_.size()); ++b) {
    const App& other = apps_[static_cast<std::size_t>(b)];
    if (b == a || !now.app[b].active) continue;
    const bool runs = now.app[b].backlog > 0;
    // A job that starts now runs where it was just put.
    const bool starts = now.app[b].backlog <= 1 && now.app[b].released > 0 && other.mapping >= 0;
    const std::size_t mapping = starts ? static_cast<std::size_t>(other.mapping)
                                : runs ? other.jobs.running().mapping
                                       : now.app[b].setting.mapping;
    for (std::size_t c = 0; c < kMaxClusters; ++c) {
      cores[c] += (runs ? 1 : other.jobs.duty()) * platform_.mappings[mapping].cores[c];
    }
  }
  apps_[static_cast<std::size_t>(a)].jobs.set_company(cores);
}

}  // namespace flyball
