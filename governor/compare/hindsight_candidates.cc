#include "governor/compare/hindsight_candidates.h"

#include <algorithm>
#include <array>
#include <limits>

#include "env/model/fastest.h"
#include "env/model/model.h"
#include "governor/loop/job_cost.h"

namespace flyball {
namespace {

constexpr std::array<double, 6> kMargins = {1.0, 1.15, 1.35, 1.7, 2.2, 3.0};
constexpr double kNever = std::numeric_limits<double>::infinity();

/// What an application asks for at its strictest over the whole run, or at its start.
Requirements asked(const Scenario& scenario, int app, bool strictest) {
  Requirements required = scenario.apps[app].required;
  if (!strictest) return required;
  for (const ScenarioEvent& event : scenario.events) {
    if (event.kind != ScenarioEvent::Kind::kRequirements || event.app != app) continue;
    const Requirements& later = event.required;
    if (later.deadline_ns > 0 &&
        (required.deadline_ns == 0 || later.deadline_ns < required.deadline_ns))
      required.deadline_ns = later.deadline_ns;
    required.accuracy_floor_pct = std::max(required.accuracy_floor_pct, later.accuracy_floor_pct);
  }
  return required;
}

/// Every combination of frequencies; where there are too many, every second, third... of each
/// cluster.
std::vector<OppChoice> frequency_combinations(const PlatformSpec& platform) {
  constexpr std::size_t kMost = 4096;
  for (int stride = 1;; ++stride) {
    std::size_t total = 1;
    for (const ClusterSpec& cluster : platform.clusters) total *= cluster.max_opp() / stride + 1;
    if (total > kMost) continue;
    std::vector<OppChoice> all = {OppChoice{}};
    for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
      std::vector<OppChoice> longer;
      for (const OppChoice& choice : all)
        for (int opp = platform.clusters[c].max_opp(); opp >= 0; opp -= stride) {
          longer.push_back(choice);
          longer.back()[c] = static_cast<std::uint8_t>(opp);
        }
      all = std::move(longer);
    }
    return all;
  }
}

struct Ranked {
  double energy_mj = 0;
  Action action;
};

/// Lets clusters that no application uses rest.
void rest_unused(const PlatformSpec& platform, const Scenario& scenario, Action& action) {
  for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
    bool used = false;
    for (std::size_t a = 0; a < scenario.apps.size(); ++a)
      used = used || platform.mappings[action.app[a].mapping].cores[c] > 0;
    if (!used) action.opp[c] = 0;
  }
}

/// The cheapest setting of an application at given frequencies for each margin.
std::array<std::pair<double, AppSetting>, kMargins.size()> cheapest_settings(
    const PlatformSpec& platform, const AppProfile& profile, const Requirements& required,
    const OppChoice& opp) {
  std::array<std::pair<double, AppSetting>, kMargins.size()> best;
  best.fill({kNever, {}});
  const double horizon_ns =
      static_cast<double>(required.period_ns > 0 ? required.period_ns : required.deadline_ns);
  const double limit_ns =
      required.deadline_ns > 0 ? static_cast<double>(required.deadline_ns) : kNever;
  for (std::size_t m = 0; m < platform.mappings.size(); ++m) {
    const Mapping& mapping = platform.mappings[m];
    if (!runs_on(profile, mapping)) continue;
    for (std::size_t w = 0; w < profile.levels.size(); ++w) {
      if (profile.levels[w].accuracy_pct < required.accuracy_floor_pct) continue;
      const int level = static_cast<int>(w);
      const double time_ns = execution_ns(platform, profile, mapping, level, opp);
      const double energy_mj =
          ranking_energy_mj(platform, profile, mapping, level, opp, time_ns, horizon_ns);
      for (std::size_t k = 0; k < kMargins.size(); ++k)
        if (time_ns * kMargins[k] <= limit_ns && energy_mj < best[k].first)
          best[k] = {energy_mj, {static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(w)}};
    }
  }
  return best;
}

void add_new(std::vector<Action>& actions, const Action& action) {
  if (std::find(actions.begin(), actions.end(), action) == actions.end()) actions.push_back(action);
}

void add_cheapest(const PlatformSpec& platform, const Scenario& scenario, bool strictest,
                  const std::vector<OppChoice>& combinations, std::size_t per_margin,
                  std::vector<Action>& out) {
  std::array<std::vector<Ranked>, kMargins.size()> ranked;
  for (const OppChoice& opp : combinations) {
    std::array<Ranked, kMargins.size()> joint;
    for (Ranked& entry : joint) entry.action.opp = opp;
    for (std::size_t a = 0; a < scenario.apps.size(); ++a) {
      const AppProfile& profile = platform.apps[scenario.apps[a].profile];
      const auto best = cheapest_settings(platform, profile,
                                          asked(scenario, static_cast<int>(a), strictest), opp);
      for (std::size_t k = 0; k < kMargins.size(); ++k) {
        joint[k].energy_mj += best[k].first;
        joint[k].action.app[a] = best[k].second;
      }
    }
    for (std::size_t k = 0; k < kMargins.size(); ++k) {
      if (joint[k].energy_mj == kNever) continue;
      rest_unused(platform, scenario, joint[k].action);
      ranked[k].push_back(joint[k]);
    }
  }
  for (auto& list : ranked) {
    std::stable_sort(list.begin(), list.end(),
                     [](const Ranked& x, const Ranked& y) { return x.energy_mj < y.energy_mj; });
    const std::size_t before = out.size();
    for (std::size_t i = 0; i < list.size() && out.size() < before + per_margin; ++i)
      add_new(out, list[i].action);
  }
}

/// Everything as fast as it goes, one configuration per level.
void add_fastest(const PlatformSpec& platform, const Scenario& scenario, std::vector<Action>& out) {
  const OppChoice top = highest_opps(platform);
  int most_levels = 0;
  for (const AppSpec& app : scenario.apps) {
    most_levels = std::max(most_levels, platform.apps[app.profile].level_count());
  }
  for (int level = 0; level < most_levels; ++level) {
    Action action;
    action.opp = top;
    for (std::size_t a = 0; a < scenario.apps.size(); ++a) {
      const AppProfile& profile = platform.apps[scenario.apps[a].profile];
      const FastestConfiguration fastest =
          fastest_at(platform, profile, std::min(level, profile.level_count() - 1));
      if (fastest.mapping < 0) continue;
      action.app[a] = {static_cast<std::uint8_t>(fastest.mapping),
                       static_cast<std::uint8_t>(fastest.level)};
    }
    rest_unused(platform, scenario, action);
    add_new(out, action);
  }
}

/// Of each of the application's knobs the next level down and up that leaves the others alone.
std::vector<int> neighbouring_levels(const AppProfile& profile, int level) {
  const KnobValues& from = profile.levels[level].knob;
  std::vector<int> levels;
  for (std::size_t k = 0; k < profile.knobs.size(); ++k) {
    int down = -1, up = -1;
    for (int l = 0; l < profile.level_count(); ++l) {
      KnobValues to = profile.levels[l].knob;
      const std::uint8_t value = to[k];
      to[k] = from[k];
      if (to != from) continue;
      if (value < from[k]) down = l;
      if (value > from[k] && up < 0) up = l;
    }
    for (const int l : {down, up})
      if (l >= 0) levels.push_back(l);
  }
  return levels;
}

}  // namespace

std::vector<Action> hindsight_candidates(const PlatformSpec& platform, const Scenario& scenario,
                                         std::size_t per_margin) {
  const std::vector<OppChoice> combinations = frequency_combinations(platform);
  std::vector<Action> out;
  add_fastest(platform, scenario, out);
  add_cheapest(platform, scenario, false, combinations, per_margin, out);
  for (std::size_t a = 0; a < scenario.apps.size(); ++a) {
    const int app = static_cast<int>(a);
    if (asked(scenario, app, true) == asked(scenario, app, false)) continue;
    add_cheapest(platform, scenario, true, combinations, per_margin, out);
    break;
  }
  return out;
}

std::vector<Action> neighbours(const PlatformSpec& platform, const Scenario& scenario,
                               const Action& action) {
  std::vector<Action> out;
  for (std::size_t c = 0; c < platform.clusters.size(); ++c)
    for (const int step : {-1, 1}) {
      const int opp = action.opp[c] + step;
      if (opp < 0 || opp > platform.clusters[c].max_opp()) continue;
      Action other = action;
      other.opp[c] = static_cast<std::uint8_t>(opp);
      rest_unused(platform, scenario, other);
      if (!(other == action)) add_new(out, other);
    }
  for (std::size_t a = 0; a < scenario.apps.size(); ++a) {
    const AppProfile& profile = platform.apps[scenario.apps[a].profile];
    for (const int level : neighbouring_levels(profile, action.app[a].level)) {
      Action other = action;
      other.app[a].level = static_cast<std::uint8_t>(level);
      add_new(out, other);
    }
    for (std::size_t m = 0; m < platform.mappings.size(); ++m) {
      if (m == action.app[a].mapping || !runs_on(profile, platform.mappings[m])) continue;
      Action other = action;
      other.app[a].mapping = static_cast<std::uint8_t>(m);
      // A cluster that rested would be useless at its lowest frequency: start from the middle.
      for (std::size_t c = 0; c < platform.clusters.size(); ++c)
        if (platform.mappings[m].cores[c] > 0 && other.opp[c] == 0)
          other.opp[c] = static_cast<std::uint8_t>(platform.clusters[c].max_opp() / 2);
      rest_unused(platform, scenario, other);
      add_new(out, other);
    }
  }
  return out;
}

}  // namespace flyball
