#include "agents/rule.h"

#include <algorithm>
#include <vector>

namespace flyball {

Rule::Rule(const AgentContext& context) : platform_(context.belief.mean), apps_(context.belief) {}

void Rule::bind(int slot, const Binding& binding, const Observation& now) {
  auto& place = apps_.bind(slot, binding, now);
  place.own.emplace(App{
      .ladder = {}, .profile = Profile(platform_, *place.profile, 0), .steps_up = 0, .on_time = 0});
  App& app = *place.own;
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

int Rule::rung_for(const App& app, const Requirements& required) const {
  const auto& ladder =
      app.ladder[static_cast<std::size_t>(app.profile.least_accurate(required.accuracy_floor_pct))];
  int rung = static_cast<int>(ladder.size()) - 1;
  const double limit_ns = kDeadlineShare * static_cast<double>(required.deadline_ns);
  if (required.deadline_ns > 0) {
    while (rung > 0 && ladder[static_cast<std::size_t>(rung)].time_ns > limit_ns) --rung;
  }
  return std::max(0, rung - app.steps_up);
}

void Rule::decide(const Observation& now, Decision& out) noexcept {
  out.fresh = true;
  for (int c = 0; c < now.cluster_count; ++c) out.action.opp[c] = 0;
  for (int a = 0; a < apps_.count(); ++a) {
    const App* app = apps_.find(a);
    if (app == nullptr) continue;
    const AppObservation& seen = now.app[a];
    out.action.app[a] = seen.setting;
    const int least = app->profile.least_accurate(seen.required.accuracy_floor_pct);
    const auto& ladder = app->ladder[static_cast<std::size_t>(least)];
    if (!seen.active || ladder.empty()) continue;
    const Rung& rung = ladder[static_cast<std::size_t>(rung_for(*app, seen.required))];
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
      app->steps_up += rung_for(*app, outcome.app[job.app].required) > 0 ? 1 : 0;
      app->on_time = 0;
    } else if (++app->on_time >= kOnTimeForStepDown) {
      app->steps_up = std::max(0, app->steps_up - 1);
      app->on_time = 0;
    }
  }
}

}  // namespace flyball
