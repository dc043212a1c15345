// What the Q-learner might have done instead, and what becomes of its tables when something else is
// done than it decided.

#include <algorithm>

#include "agents/q_learning.h"

namespace flyball {

namespace {

constexpr std::size_t kMaxWays = 1024;  // that several applications draw at once

}  // namespace

int QLearning::point_within(const Observation& now, int slot, int margin) const {
  const App& app = *apps_.find(slot);
  const AppSetting& setting = now.app[slot].running.setting;
  const auto frontier = app.profile->frontier(setting.mapping, setting.level);
  if (frontier.empty()) return -1;
  OppChoice cap{};
  for (int c = 0; c < now.cluster_count; ++c) cap[c] = now.cluster[c].opp_cap;
  const double deviations = kMargins[static_cast<std::size_t>(margin)];
  return permitted_point(
      now, slot,
      cheapest_within(frontier,
                      point_limit_ns(now, slot, Job::kRunning, setting.mapping, deviations), cap));
}

OppChoice QLearning::frequencies(const Observation& now, int slot, int point) const {
  const AppSetting& setting = now.app[slot].running.setting;
  const Mapping& mapping = platform_.mappings[setting.mapping];
  const auto frontier = apps_.find(slot)->profile->frontier(setting.mapping, setting.level);
  OppChoice opp{};
  for (int c = 0; c < now.cluster_count; ++c) {
    if (mapping.cores[c] == 0) continue;
    opp[c] = point >= 0 ? frontier[static_cast<std::size_t>(point)].opp[c] : now.cluster[c].opp_cap;
  }
  return opp;
}

bool QLearning::tries_clocks(const Observation& now, int slot, const OppChoice& opp) const {
  const App& app = *apps_.find(slot);
  for (int c = 0; c < now.cluster_count; ++c) {
    if (opp[c] < app.best_opp[c]) return true;
  }
  return false;
}

Action QLearning::without_trials(const Observation& now, const Action& decided) const {
  Action action = decided;
  for (int c = 0; c < now.cluster_count; ++c) action.opp[c] = 0;
  for (int a = 0; a < apps_.count(); ++a) {
    const App* app = apps_.find(a);
    if (app == nullptr) continue;
    action.app[a].mapping = static_cast<std::uint8_t>(std::max(0, app->best_mapping));
    OppChoice opp = app->best_opp;
    if (now.app[a].running.busy) hurry(now, a, opp);
    for (int c = 0; c < now.cluster_count; ++c) {
      action.opp[c] = std::max(action.opp[c], std::min(opp[c], now.cluster[c].opp_cap));
    }
  }
  return action;
}

bool QLearning::hurry(const Observation& now, int slot, OppChoice& opp) const {
  if (in_reach_later(now, slot, opp)) return false;
  const Mapping& running = platform_.mappings[now.app[slot].running.setting.mapping];
  for (int c = 0; c < now.cluster_count; ++c) {
    if (running.cores[c] > 0) opp[c] = now.cluster[c].opp_cap;
  }
  return true;
}

/// Applications draw independently of each other, and the clocks of a running job do not depend on
/// the mapping of the next: all combinations are all that might have been.
bool QLearning::alternatives(const Observation& now, const Decision& decided,
                             DrawnActions& out) const {
  if (!draws_known_) return false;
  struct Clocks {
    OppChoice opp;
    double probability;
    bool trial = false;
  };
  Trial trial;
  trial.interval_ns = interval_ns_;
  trial.instead = without_trials(now, decided.action);
  std::array<std::array<Clocks, kMargins.size()>, kMaxApps>
      clocks;  // those that a slot's job may get
  std::array<std::size_t, kMaxApps> clock_ways{};
  std::size_t ways = 1;
  for (int a = 0; a < apps_.count(); ++a) {
    const App* app = apps_.find(a);
    if (app == nullptr) continue;
    auto& own = clocks[static_cast<std::size_t>(a)];
    std::size_t& n = clock_ways[static_cast<std::size_t>(a)];
    if (app->margin_chances.empty()) {
      own[n++] = {app->opp, 1, tries_clocks(now, a, app->opp)};  // nothing for an idle one
    }
    int last_point = -2;
    for (const Chance& chance : app->margin_chances) {  // ascending: equal points follow each other
      const int point = point_within(now, a, chance.choice);
      if (point == last_point) {
        own[n - 1].probability += chance.probability;
        continue;
      }
      last_point = point;
      own[n] = {frequencies(now, a, point), chance.probability};
      hurry(now, a, own[n].opp);
      own[n].trial = tries_clocks(now, a, own[n].opp);
      ++n;
    }
    ways *= n * std::max<std::size_t>(1, app->next_chances.size());
    if (ways > kMaxWays) return false;
  }
  Action action = decided.action;
  for (std::size_t way = 0; way < ways; ++way) {
    std::size_t rest = way;
    double probability = 1;
    trial.next = trial.clocks = 0;
    for (int c = 0; c < now.cluster_count; ++c) action.opp[c] = 0;
    for (int a = 0; a < apps_.count(); ++a) {
      const App* app = apps_.find(a);
      if (app == nullptr) continue;
      if (const std::size_t n = app->next_chances.size(); n > 0) {
        const Chance& chance = app->next_chances[rest % n];
        rest /= n;
        action.app[a].mapping = static_cast<std::uint8_t>(chance.choice);
        probability *= chance.probability;
      }
      if (action.app[a].mapping != app->best_mapping) trial.next |= 1ull << a;
      const std::size_t n = clock_ways[static_cast<std::size_t>(a)];
      const Clocks& own = clocks[static_cast<std::size_t>(a)][rest % n];
      rest /= n;
      probability *= own.probability;
      if (own.trial) trial.clocks |= 1ull << a;
      for (int c = 0; c < now.cluster_count; ++c) {
        action.opp[c] = std::max(action.opp[c], std::min(own.opp[c], now.cluster[c].opp_cap));
      }
    }
    out.take(action, probability, trial);
  }
  return true;
}

void QLearning::replaced(const Observation& now, const Action& decided,
                         const Action& applied) noexcept {
  for (int a = 0; a < apps_.count(); ++a) {
    if (!apps_.bound(a)) continue;
    if (!(applied.app[a] == decided.app[a])) {
      credit_next(now, a, applied.app[a]);
      App& app = *apps_.find(a);
      app.tried = -1;  // what was not made costs nothing
      app.next_arm.explored = false;
      // The shield's choice is no trial. What it may yet ask for again still is.
      if (app.mapping == applied.app[a].mapping) app.best_mapping = app.mapping;
    }
    const RunningJobObservation& run = now.app[a].running;
    if (!run.busy) continue;
    const Mapping& mapping = platform_.mappings[run.setting.mapping];
    bool other_clocks = false;
    for (int c = 0; c < now.cluster_count; ++c) {
      other_clocks = other_clocks || (mapping.cores[c] > 0 && applied.opp[c] != decided.opp[c]);
    }
    if (!other_clocks) continue;
    credit_margin(now, a, applied.opp);
    App& app = *apps_.find(a);
    if (!tries_clocks(now, a, app.opp)) continue;
    // Lower clocks were tried, and others come: the job goes on with those.
    app.margin = app.best_margin;
    for (int c = 0; c < now.cluster_count; ++c) {
      if (mapping.cores[c] > 0) app.opp[c] = app.best_opp[c] = std::max(app.opp[c], applied.opp[c]);
    }
  }
}

/// The mapping that is executed is the one that the next job's costs belong to, where the table has
/// it: at the level that it is about, and one that it might have chosen.
void QLearning::credit_next(const Observation& now, int slot, const AppSetting& applied) {
  App& app = *apps_.find(slot);
  app.next_slow.valid = app.next_arm.valid = false;
  if (applied.level != app.level) return;
  const Situation s = assess(now, slot, Job::kNext);
  SlowPriors prior;
  bool any_safe = false;
  slow_priors(now, slot, s, app.worst_case, 0, prior, any_safe);
  const DoubleQ::Prior& of_it = prior[applied.mapping];
  if (!any_safe || of_it.masked) return;
  app.mapping = applied.mapping;
  app.next_slow = {true, s.slow_state, app.mapping, of_it.value};
  if (kind_ != Kind::kArms || app.known < 0) return;
  app.next_arm.arm = arm_of(now, slot, app.mapping);
  app.next_arm.valid = true;
}

/// The same for the margin of the running job: the one that asks for the clocks that are executed.
/// A job whose clocks change later on had no margin of the table all along.
void QLearning::credit_margin(const Observation& now, int slot, const OppChoice& applied) {
  App& app = *apps_.find(slot);
  app.fast.valid = false;
  if (!app.margin_chosen) return;
  const Situation s = assess(now, slot, Job::kRunning);
  FastPriors prior;
  fast_priors(now, slot, s, prior);
  const Mapping& mapping = platform_.mappings[now.app[slot].running.setting.mapping];
  for (std::size_t z = 0; z < kMargins.size(); ++z) {
    if (prior[z].masked) continue;
    OppChoice opp = frequencies(now, slot, point_within(now, slot, static_cast<int>(z)));
    hurry(now, slot, opp);
    bool same = true;
    for (int c = 0; c < now.cluster_count; ++c) {
      same = same && (mapping.cores[c] == 0 || opp[c] == applied[c]);
    }
    if (!same) continue;
    app.margin = static_cast<int>(z);
    app.opp = opp;
    app.fast = {true, s.fast_state, app.margin, prior[z].value};
    return;
  }
}

}  // namespace flyball
