#include "agents/rule.h"

#include <algorithm>

#include "agents/explain.h"

namespace flyball {

Rule::Rule(const AgentContext& context) : platform_(context.platform), scenario_(context.scenario) {
  for (const AppSpec& spec : scenario_.apps) {
    App app{
        .ladder = {}, .profile = Profile(platform_, spec.profile, 0), .steps_up = 0, .on_time = 0};
    for (int least = 0; least < app.profile.level_count(); ++least) {
      std::vector<Rung> all;
      for (int m = 0; m < app.profile.mapping_count(); ++m) {
        for (int w = 0; w < app.profile.level_count(); ++w) {
          if (app.profile.accuracy_pct(w) < app.profile.accuracy_pct(least)) continue;
          for (const ProfilePoint& p : app.profile.frontier(m, w)) {
            all.push_back({p.time_ns,
                           p.energy_mj,
                           p.opp,
                           {static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(w)}});
          }
        }
      }
      std::stable_sort(all.begin(), all.end(), [](const Rung& a, const Rung& b) {
        return a.time_ns != b.time_ns ? a.time_ns < b.time_ns : a.energy_mj < b.energy_mj;
      });
      std::vector<Rung>& ladder = app.ladder[static_cast<std::size_t>(least)];
      for (const Rung& rung : all) {
        if (ladder.empty() || rung.energy_mj < ladder.back().energy_mj) ladder.push_back(rung);
      }
    }
    apps_.push_back(std::move(app));
  }
}

int Rule::least_level(const App& app, double floor_pct) {
  int least = app.profile.level_for(floor_pct);
  for (int w = 0; w < app.profile.level_count(); ++w) {
    if (app.profile.reaches(w, floor_pct) &&
        app.profile.accuracy_pct(w) < app.profile.accuracy_pct(least))
      least = w;
  }
  return least;
}

int Rule::rung_for(const App& app, const Requirements& required) const {
  const auto& ladder =
      app.ladder[static_cast<std::size_t>(least_level(app, required.accuracy_floor_pct))];
  int rung = static_cast<int>(ladder.size()) - 1;
  const double limit_ns = kDeadlineShare * static_cast<double>(required.deadline_ns);
  if (required.deadline_ns > 0) {
    while (rung > 0 && ladder[static_cast<std::size_t>(rung)].time_ns > limit_ns) --rung;
  }
  return std::max(0, rung - app.steps_up);
}

void Rule::decide(const Observation& now, Action& out) {
  out = Action{};
  for (std::size_t a = 0; a < apps_.size(); ++a) {
    const App& app = apps_[a];
    const AppObservation& seen = now.app[a];
    out.app[a] = seen.setting;
    const int least = least_level(app, seen.required.accuracy_floor_pct);
    const auto& ladder = app.ladder[static_cast<std::size_t>(least)];
    if (!seen.active || ladder.empty()) continue;
    const Rung& rung = ladder[static_cast<std::size_t>(rung_for(app, seen.required))];
    out.app[a] = rung.setting;
    // Applications that share a cluster get the higher of their frequencies.
    for (int c = 0; c < kMaxClusters; ++c) out.opp[c] = std::max(out.opp[c], rung.opp[c]);
    const LevelProfile& width =
        platform_.apps[scenario_.apps[a].profile].levels[rung.setting.level];
    explain(why_, "{}: table says {} width {}{} in {:.1f} ms, {} steps above",
            scenario_.apps[a].name, platform_.mappings[rung.setting.mapping].name, width.width_pct,
            width.suffix(), rung.time_ns * 1e-6, app.steps_up);
  }
}

void Rule::learn(const Observation& outcome, const Action&, double) {
  for (const JobRecord& job : outcome.jobs()) {
    App& app = apps_[job.app];
    if (job.missed) {
      // No higher than the top of the ladder, or the way down would be longer than the way up.
      app.steps_up += rung_for(app, outcome.app[job.app].required) > 0 ? 1 : 0;
      app.on_time = 0;
    } else if (++app.on_time >= kOnTimeForStepDown) {
      app.steps_up = std::max(0, app.steps_up - 1);
      app.on_time = 0;
    }
  }
}

}  // namespace flyball
