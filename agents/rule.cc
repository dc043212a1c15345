#include "agents/rule.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace flyball {

Rule::Rule(const AgentContext& context) : platform_(context.belief.mean), apps_(context.belief) {}

void Rule::bind(int slot, const Binding& binding, const Observation& now) {
  auto& place = apps_.bind(slot, binding, now);
  place.own.emplace(App{.ladder = {},
                        .profile = Profile(platform_, *place.profile, 0),
                        .by_accuracy = {},
                        .steps_up = 0,
                        .on_time = 0});
  App& app = *place.own;
  app.by_accuracy.resize(static_cast<std::size_t>(app.profile.level_count()));
  std::iota(app.by_accuracy.begin(), app.by_accuracy.end(), 0);
  std::stable_sort(app.by_accuracy.begin(), app.by_accuracy.end(), [&](int a, int b) {
    return app.profile.accuracy_pct(a) > app.profile.accuracy_pct(b);
  });
  for (int least = 0; least < app.profile.level_count(); ++least) {
    std::vector<Rung> all;
    app.profile.for_each_as_accurate(least, [&](int m, int l, const ProfilePoint& p) {
      all.push_back({p.time_ns,
                     p.energy_mj,
                     p.opp,
                     {static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(l)}});
    });
    std::stable_sort(all.begin(), all.end(), [](const Rung& a, const Rung& b) {
      return a.time_ns != b.time_ns ? a.time_ns < b.time_ns : a.energy_mj < b.energy_mj;
    });
    std::vector<Rung>& ladder = app.ladder.emplace_back();
    for (const Rung& rung : all) {
      if (ladder.empty() || rung.energy_mj < ladder.back().energy_mj) ladder.push_back(rung);
    }
  }
}

int Rule::slowest_in_time(const std::vector<Rung>& ladder, const Requirements& required) {
  int rung = static_cast<int>(ladder.size()) - 1;
  const double limit_ns = kDeadlineShare * static_cast<double>(required.deadline_ns);
  if (required.deadline_ns > 0) {
    while (rung > 0 && ladder[static_cast<std::size_t>(rung)].time_ns > limit_ns) --rung;
  }
  return std::max(0, rung);
}

int Rule::within_budget(const std::vector<Rung>& ladder, const Requirements& required,
                        double idle_mw) {
  const double limit_ns = kDeadlineShare * static_cast<double>(required.deadline_ns);
  for (int rung = ladder.empty() ? -1 : slowest_in_time(ladder, required); rung >= 0; --rung) {
    const Rung& at = ladder[static_cast<std::size_t>(rung)];
    const bool in_time = required.deadline_ns <= 0 || at.time_ns <= limit_ns;
    const double taken_mj = at.energy_mj + idle_mw * at.time_ns * 1e-9;
    const bool permitted = required.energy_budget_mj <= 0 || taken_mj <= required.energy_budget_mj;
    if (in_time && permitted) return rung;
  }
  return -1;
}

Rule::Place Rule::place_for(const App& app, const Requirements& required) const {
  const int least = app.profile.least_accurate(required.accuracy_floor_pct);
  const auto& ladder = app.ladder[static_cast<std::size_t>(least)];
  const double idle_mw = app.profile.idle_mw();
  if (required.objective == Objective::kLatency) {
    int rung = 0;
    const int slowest = within_budget(ladder, required, idle_mw);
    // Along the ladder energy falls: the first within the budget is the quickest.
    while (rung < slowest && required.energy_budget_mj > 0 &&
           ladder[static_cast<std::size_t>(rung)].energy_mj +
                   idle_mw * ladder[static_cast<std::size_t>(rung)].time_ns * 1e-9 >
               required.energy_budget_mj) {
      ++rung;
    }
    return {least, rung};
  }
  if (required.objective == Objective::kAccuracy) {
    for (const int level : app.by_accuracy) {
      if (!app.profile.reaches(level, required.accuracy_floor_pct)) continue;
      const int rung =
          within_budget(app.ladder[static_cast<std::size_t>(level)], required, idle_mw);
      if (rung >= 0) return {level, std::max(0, rung - app.steps_up)};
    }
  }
  const int permitted = within_budget(ladder, required, idle_mw);
  const int rung = permitted >= 0 ? permitted : slowest_in_time(ladder, required);
  return {least, std::max(0, rung - app.steps_up)};
}

void Rule::decide(const Observation& now, Decision& out) noexcept {
  out.fresh = true;
  for (int c = 0; c < now.cluster_count; ++c) out.action.opp[c] = 0;
  for (int a = 0; a < apps_.count(); ++a) {
    const App* app = apps_.find(a);
    if (app == nullptr) continue;
    const AppObservation& seen = now.app[a];
    out.action.app[a] = seen.setting;
    const Place place = place_for(*app, seen.required);
    const auto& ladder = app->ladder[static_cast<std::size_t>(place.level)];
    if (!seen.active || ladder.empty()) continue;
    const Rung& rung = ladder[static_cast<std::size_t>(place.rung)];
    out.action.app[a] = rung.setting;
    // Applications that share a cluster get the higher of their frequencies.
    for (int c = 0; c < now.cluster_count; ++c) {
      out.action.opp[c] = std::max(out.action.opp[c], rung.opp[c]);
    }
    out.reason = {Reason::Code::kTable,
                  static_cast<std::uint8_t>(a),
                  {static_cast<float>(rung.time_ns * 1e-6), static_cast<float>(app->steps_up)}};
  }
}

void Rule::learn(const Observation& outcome, const Action&, const Reward&) noexcept {
  for (const JobRecord& job : outcome.jobs()) {
    App* app = apps_.find(job.app);
    if (app == nullptr) continue;
    if (job.missed) {
      // No higher than the top of the ladder, or the way down would be longer than the way up.
      app->steps_up += place_for(*app, outcome.app[job.app].required).rung > 0 ? 1 : 0;
      app->on_time = 0;
    } else if (++app->on_time >= kOnTimeForStepDown) {
      app->steps_up = std::max(0, app->steps_up - 1);
      app->on_time = 0;
    }
  }
}

}  // namespace flyball
