#include "agents/q_learning.h"

#include <algorithm>
#include <limits>

#include "agents/bytes.h"
#include "agents/explain.h"

namespace flyball {

namespace {

constexpr std::uint32_t kPayloadVersion = 1;
constexpr std::uint64_t kRandomStream = 0x61676e74;  // the platforms draw from others
constexpr DoubleQ::Options kTable{.discount = 0.6, .step_floor = 0.02, .prior_visits = 8};
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

/// A decision every eighth of the shortest deadline catches a job that runs long with time to
/// spare; more often than every 2 ms would cost more than it saves.
std::int64_t decision_interval_ns(const Scenario& scenario) {
  std::int64_t shortest = 400'000'000;
  for (const AppSpec& app : scenario.apps) {
    if (app.required.deadline_ns > 0) shortest = std::min(shortest, app.required.deadline_ns);
  }
  return std::clamp<std::int64_t>(shortest / 8, 2'000'000, 50'000'000);
}

}  // namespace

QLearning::App::App(const PlatformSpec& platform, const Scenario& scenario, int app, double tail_ns)
    : profile(platform, scenario.apps[static_cast<std::size_t>(app)].profile, tail_ns),
      jobs(platform, scenario, app),
      slow(kSlowStates, static_cast<int>(platform.mappings.size()), kTable),
      fast(kFastStates, static_cast<int>(kMargins.size()), kTable) {}

QLearning::QLearning(const AgentContext& context)
    : platform_(context.platform),
      scenario_(context.scenario),
      weights_(context.weights),
      rng_(context.seed, kRandomStream),
      interval_ns_(decision_interval_ns(context.scenario)) {
  apps_.reserve(scenario_.apps.size());
  for (int a = 0; a < static_cast<int>(scenario_.apps.size()); ++a) {
    apps_.emplace_back(platform_, scenario_, a, 0.5 * static_cast<double>(interval_ns_));
  }
}

double QLearning::epsilon() const {
  if (!learning_) return 0;
  const double done = static_cast<double>(jobs_learned_);
  return kEpsilonFloor + (kEpsilonStart - kEpsilonFloor) * kEpsilonJobs / (kEpsilonJobs + done);
}

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
        std::min(fastest_ns, state.profile.frontier(m, state.accuracy_width).front().time_ns *
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
    const auto frontier = state.profile.frontier(m, state.accuracy_width);
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
  const auto frontier = state.profile.frontier(mapping, state.accuracy_width);
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

int QLearning::explore(std::span<const double> prior) {
  double best = DoubleQ::kMasked;
  for (double p : prior) best = std::max(best, p);
  // A prior is worth 1 / (1 - discount) jobs.
  const double least = best * (1 + kExploreCost * (1 - kTable.discount));
  std::uint32_t candidates = 0;
  for (double p : prior) candidates += p >= least;
  std::uint32_t pick = rng_.below(candidates);
  for (std::size_t i = 0; i < prior.size(); ++i) {
    if (prior[i] >= least && pick-- == 0) return static_cast<int>(i);
  }
  return 0;
}

void QLearning::close(App& app, const Situation& s, std::span<const double> slow,
                      std::span<const double> fast) {
  if (learning_ && app.finished > 0) {
    const double reward = app.reward / app.finished;
    const bool first = (rng_.next() >> 63) != 0;
    if (app.open_slow.valid) {
      app.slow.update(first, app.open_slow.state, app.open_slow.action, app.open_slow.prior, reward,
                      s.slow_state, slow);
    }
    if (app.open_fast.valid) {
      app.fast.update(first, app.open_fast.state, app.open_fast.action, app.open_fast.prior, reward,
                      s.fast_state, fast);
    }
    jobs_learned_ += static_cast<std::uint64_t>(app.finished);
  }
  app.reward = 0;
  app.finished = 0;
}

void QLearning::choose(const Observation& now, int a) {
  App& app = apps_[static_cast<std::size_t>(a)];
  const Situation s = assess(now, a);
  std::array<double, kMaxMappings> slow_store;
  std::array<double, kMargins.size()> fast_store;
  bool any_safe = false;
  for (std::size_t i = 0; i < kWorstCases.size() && !any_safe; ++i) {
    app.worst_case = kWorstCases[i];
    slow_priors(now, a, s, app.worst_case, slow_store, any_safe);
  }
  const std::span<const double> slow(slow_store.data(),
                                     static_cast<std::size_t>(app.profile.mapping_count()));
  const std::span<const double> fast(fast_store);

  const bool kept_ok =
      app.mapping >= 0 && slow[static_cast<std::size_t>(app.mapping)] > DoubleQ::kMasked;
  const bool hold = kept_ok && any_safe && app.held_jobs < kHoldJobs && app.open_slow.valid &&
                    app.open_slow.state == s.slow_state && app.required == now.app[a].required;
  const int greedy = app.slow.best(s.slow_state, slow);
  fast_priors(now, a, s, hold ? app.mapping : std::max(0, greedy), fast_store);
  close(app, s, slow, fast);

  reason_.explored = false;
  if (hold) {
    ++app.held_jobs;
  } else {
    app.mapping = std::max(0, greedy);
    if (any_safe && rng_.uniform() < epsilon()) {
      app.mapping = explore(slow);
      reason_.explored = true;
    }
    app.held_jobs = reason_.explored ? kHoldJobs - 1 : 1;  // a trial is two jobs long
    if (app.mapping != greedy) fast_priors(now, a, s, app.mapping, fast_store);
  }
  app.open_slow = {any_safe, s.slow_state, app.mapping, slow[static_cast<std::size_t>(app.mapping)],
                   0};

  app.margin = app.fast.best(s.fast_state, fast);
  if (app.margin < 0) app.margin = static_cast<int>(kMargins.size()) - 1;
  if (any_safe && rng_.uniform() < epsilon()) {
    app.margin = explore(fast);
    reason_.explored = true;
  }
  const double fast_prior = fast[static_cast<std::size_t>(app.margin)];
  app.open_fast = {any_safe && fast_prior > DoubleQ::kMasked, s.fast_state, app.margin, fast_prior,
                   0};
  app.required = now.app[a].required;

  reason_.kind = Reason::Kind::kChosen;
  reason_.app = a;
  reason_.demand = s.pressure > 0 ? 1 / s.pressure : 9.99;
  reason_.slack_pct = 100 * (1 - reason_.demand);
  reason_.value = static_cast<float>(fast_prior > DoubleQ::kMasked
                                         ? app.fast.value(s.fast_state, app.margin, fast_prior)
                                         : -s.miss_cost);
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
  const double now_ns = execution_ns(platform_, profile, mapping, running.width, opp) * slow;
  const double top_ns = execution_ns(platform_, profile, mapping, running.width, top) * slow;
  const double worst = app.jobs.work(app.worst_case) - app.jobs.progress();
  const double left_ns =
      static_cast<double>(app.jobs.release_ns(0) + seen.required.deadline_ns - now.now_ns);
  const double dt = static_cast<double>(interval_ns_);
  const double after = worst - dt / now_ns;
  return after <= 0 ? worst > 0 : after * top_ns <= kDeadlineUse * (left_ns - dt);
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

void QLearning::set_frequencies(const Observation& now, int a) {
  App& app = apps_[static_cast<std::size_t>(a)];
  OppChoice cap{};
  for (int c = 0; c < now.cluster_count; ++c) cap[c] = now.cluster[c].opp_cap;
  app.opp = {};
  const auto speed_up = [&](int m, int width) {
    const auto frontier = app.profile.frontier(m, width);
    const double margin = kMargins[static_cast<std::size_t>(app.margin)];
    const int i =
        frontier.empty() ? -1 : cheapest_within(frontier, point_limit_ns(now, a, m, margin), cap);
    for (int c = 0; c < now.cluster_count; ++c) {
      if (platform_.mappings[static_cast<std::size_t>(m)].cores[c] == 0) continue;
      app.opp[c] =
          std::max(app.opp[c], i >= 0 ? frontier[static_cast<std::size_t>(i)].opp[c] : cap[c]);
    }
  };
  speed_up(app.mapping, app.accuracy_width);
  // A job that still runs elsewhere must get out of the way in time.
  const AppSetting running = app.jobs.running();
  if (now.app[a].backlog > now.app[a].released && running.mapping != app.mapping &&
      app.profile.supports(running.mapping)) {
    speed_up(running.mapping, running.width);
  }
}

void QLearning::start_stream() {
  for (App& app : apps_) {
    app.jobs.start_stream();
    app.mapping = -1;
    app.opp = {};
    app.open_slow.valid = app.open_fast.valid = false;
    app.reward = 0;
    app.finished = 0;
  }
}

void QLearning::decide(const Observation& now, Action& out) {
  out = Action{};
  reason_.kind = Reason::Kind::kIdle;
  if (now.epoch_ns == 0) start_stream();
  bool chosen = false;
  for (int a = 0; a < static_cast<int>(apps_.size()); ++a) {
    App& app = apps_[static_cast<std::size_t>(a)];
    const AppObservation& seen = now.app[a];
    app.accuracy_width = app.profile.width_for(seen.required.accuracy_floor_pct);
    meet_company(now, a);
    if (!seen.active || (seen.released == 0 && app.mapping >= 0)) continue;
    choose(now, a);
    chosen = true;
  }
  for (int a = 0; a < static_cast<int>(apps_.size()); ++a) {
    App& app = apps_[static_cast<std::size_t>(a)];
    const AppObservation& seen = now.app[a];
    if (chosen && app.mapping >= 0 && seen.backlog > 0) {
      meet_company(now, a);  // one that was chosen after it may share its clusters now
      set_frequencies(now, a);
    }
    out.app[a] = seen.setting;
    if (app.mapping >= 0) {
      out.app[a] = {static_cast<std::uint8_t>(app.mapping),
                    static_cast<std::uint8_t>(app.accuracy_width)};
    }
    if (seen.backlog == 0) {
      app.opp = {};
      continue;
    }
    if (seen.released == 0 && reason_.kind == Reason::Kind::kIdle) {
      reason_.kind = Reason::Kind::kRunning;
      reason_.app = a;
    }
    // The running job keeps its clusters at speed even when the next one goes elsewhere.
    const Mapping& running = platform_.mappings[app.jobs.running().mapping];
    if (!in_reach_later(now, a, app.opp)) {
      for (int c = 0; c < now.cluster_count; ++c) {
        if (running.cores[c] > 0) app.opp[c] = now.cluster[c].opp_cap;
      }
      if (seen.released == 0) reason_.kind = Reason::Kind::kHurry;
    }
    for (int c = 0; c < now.cluster_count; ++c) {
      out.opp[c] = std::max(out.opp[c], std::min(app.opp[c], now.cluster[c].opp_cap));
    }
  }
  decided_ = out;
}

void QLearning::learn(const Observation& outcome, const Action& applied, double reward) {
  const bool as_decided = applied == decided_;
  double idle_mw = apps_.empty() ? 0 : apps_.front().profile.idle_mw();
  const double per_mj = 2 * outcome.energy_preference / weights_.ref_energy_mj;
  // What an idle platform takes is nobody's doing; without it the tables hold differences that
  // matter.
  reward += per_mj * idle_mw * static_cast<double>(outcome.epoch_ns) * 1e-9;
  for (int a = 0; a < static_cast<int>(apps_.size()); ++a) {
    App& app = apps_[static_cast<std::size_t>(a)];
    app.jobs.observe(outcome);
    app.reward += reward;
    app.finished += static_cast<int>(outcome.app[a].finished);
    for (const JobRecord& job : outcome.jobs()) {
      if (job.app == a) continue;
      const double own_mj =
          job.energy_mj - idle_mw * static_cast<double>(job.execution_ns()) * 1e-9;
      app.reward += per_mj * std::max(0.0, own_mj);
      if (job.missed) app.reward += weights_.miss * outcome.app[job.app].required.priority;
    }
    if (!as_decided) app.open_slow.valid = app.open_fast.valid = false;  // not what the table chose
  }
}

const Explanation& QLearning::why() const {
  why_.explored = reason_.explored && reason_.kind == Reason::Kind::kChosen;
  why_.value = reason_.value;
  if (reason_.kind == Reason::Kind::kIdle) {
    explain(why_, "no job: lowest clocks");
    return why_;
  }
  const App& app = apps_[static_cast<std::size_t>(reason_.app)];
  const AppProfile& profile = platform_.apps[static_cast<std::size_t>(
      scenario_.apps[static_cast<std::size_t>(reason_.app)].profile)];
  const Mapping& mapping = platform_.mappings[static_cast<std::size_t>(std::max(0, app.mapping))];
  std::int64_t mhz = 0;
  for (std::size_t c = 0; c < platform_.clusters.size(); ++c) {
    if (mapping.cores[c] == 0) continue;
    mhz = std::max(mhz, platform_.clusters[c].opps[decided_.opp[c]].freq_khz / 1000);
  }
  const char* lead = reason_.kind == Reason::Kind::kHurry     ? "hurry, job runs long: "
                     : reason_.kind == Reason::Kind::kRunning ? "running: "
                     : reason_.explored                       ? "exploring: "
                                                              : "";
  explain(why_, "{}slack {:.0f} %, demand {:.2f} -> {} at {} MHz, width {} (floor {:.3g})", lead,
          reason_.slack_pct, reason_.demand, mapping.name, mhz,
          profile.widths[static_cast<std::size_t>(app.accuracy_width)].width_pct,
          app.required.accuracy_floor_pct);
  return why_;
}

std::vector<std::uint8_t> QLearning::save() const {
  ByteWriter out;
  out.u32(kPayloadVersion);
  out.u32(static_cast<std::uint32_t>(apps_.size()));
  out.u64(jobs_learned_);
  for (const App& app : apps_) {
    app.slow.save(out);
    app.fast.save(out);
    app.jobs.save(out);
  }
  return out.take();
}

void QLearning::load(const std::vector<std::uint8_t>& payload) {
  ByteReader in(payload, "policy of 'q_learning'");
  in.expect(kPayloadVersion, "payload version");
  in.expect(static_cast<std::uint32_t>(apps_.size()), "number of applications");
  const std::uint64_t jobs = in.u64();
  std::vector<App> read = apps_;
  for (App& app : read) {
    app.slow.load(in);
    app.fast.load(in);
    app.jobs.load(in);
  }
  in.end();
  for (std::size_t a = 0; a < apps_.size(); ++a) {
    apps_[a].slow = std::move(read[a].slow);
    apps_[a].fast = std::move(read[a].fast);
    // Its moving averages only; the stream of this run goes on.
    ByteWriter averages;
    read[a].jobs.save(averages);
    const std::vector<std::uint8_t> bytes = averages.take();
    ByteReader again(bytes, "policy of 'q_learning'");
    apps_[a].jobs.load(again);
  }
  jobs_learned_ = jobs;
}

}  // namespace flyball
