#include "agents/q_learning.h"

#include <algorithm>
#include <limits>

namespace flyball {

namespace {

constexpr std::uint64_t kRandomStream = 0x61676e74;  // the platforms draw from others

constexpr double kWakeUpNs =
    100e3;  // from a job's end until the clocks are down: a wake-up and a transition

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
    apps_.emplace_back(platform_, scenario_, a, kWakeUpNs);
  }
}

double QLearning::epsilon() const {
  if (!learning_) return 0;
  const double done = static_cast<double>(jobs_learned_);
  return kEpsilonFloor + (kEpsilonStart - kEpsilonFloor) * kEpsilonJobs / (kEpsilonJobs + done);
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
  app.open_slow = {any_safe, s.slow_state, app.mapping,
                   slow[static_cast<std::size_t>(app.mapping)]};

  app.margin = app.fast.best(s.fast_state, fast);
  if (app.margin < 0) app.margin = static_cast<int>(kMargins.size()) - 1;
  if (any_safe && rng_.uniform() < epsilon()) {
    app.margin = explore(fast);
    reason_.explored = true;
  }
  const double fast_prior = fast[static_cast<std::size_t>(app.margin)];
  app.open_fast = {any_safe && fast_prior > DoubleQ::kMasked, s.fast_state, app.margin, fast_prior};
  app.required = now.app[a].required;

  reason_.kind = Reason::Kind::kChosen;
  reason_.app = a;
  reason_.demand = s.pressure > 0 ? 1 / s.pressure : 9.99;
  reason_.slack_pct = 100 * (1 - reason_.demand);
  reason_.value = static_cast<float>(fast_prior > DoubleQ::kMasked
                                         ? app.fast.value(s.fast_state, app.margin, fast_prior)
                                         : -s.miss_cost);
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
  speed_up(app.mapping, app.accuracy_level);
  // A job that still runs elsewhere must get out of the way in time.
  const AppSetting running = app.jobs.running();
  if (now.app[a].backlog > now.app[a].released && running.mapping != app.mapping &&
      app.profile.supports(running.mapping)) {
    speed_up(running.mapping, running.level);
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
    app.accuracy_level = app.profile.level_for(seen.required.accuracy_floor_pct);
    meet_company(now, a);
    chosen = chosen || seen.finished > 0;  // who waited starts now
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
                    static_cast<std::uint8_t>(app.accuracy_level)};
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

}  // namespace flyball
