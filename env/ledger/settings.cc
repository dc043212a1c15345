#include "env/ledger/settings.h"

#include <algorithm>
#include <cerrno>

#include "env/model/model.h"

namespace flyball {
namespace {

std::string frequency(const ClusterSpec& cluster, int opp) {
  return std::to_string(cluster.opps[static_cast<std::size_t>(opp)].freq_khz);
}

/// False where it is known that the application does not run there.
bool runs(const PlatformSpec& spec, const Binding& app, const Mapping& mapping) {
  const int profile = spec.find_app(app.profile);
  return profile < 0 || runs_on(spec.apps[static_cast<std::size_t>(profile)], mapping);
}

/// Sets one knob in `action`; 0 or an errno.
int set_knob(const PlatformSpec& spec, const Platform& platform, const Observation& now,
             const KnobSetting& setting, Action& action) {
  for (std::size_t c = 0; c < spec.clusters.size(); ++c) {
    const ClusterSpec& cluster = spec.clusters[c];
    if (setting.knob != cluster.name + ".freq") continue;
    for (int opp = 0; opp <= cluster.max_opp(); ++opp) {
      if (frequency(cluster, opp) != setting.value) continue;
      action.opp[c] = static_cast<std::uint8_t>(opp);
      return 0;
    }
    return EINVAL;
  }
  for (int a = 0; a < now.app_count; ++a) {
    if (!now.app[a].bound()) continue;
    const Binding& app = platform.binding(a);
    AppSetting& to = action.app[a];
    if (setting.knob == app.name + ".mapping") {
      for (std::size_t m = 0; m < spec.mappings.size(); ++m) {
        if (spec.mappings[m].name != setting.value) continue;
        if (!runs(spec, app, spec.mappings[m])) return EINVAL;
        to.mapping = static_cast<std::uint8_t>(m);
        return 0;
      }
      return EINVAL;
    }
    if (setting.knob == app.name + ".level") {
      for (std::size_t l = 0; l < app.levels.size(); ++l) {
        if (level_name(app.knobs, app.levels[l].knob) != setting.value) continue;
        to.level = static_cast<std::uint8_t>(l);
        return 0;
      }
      return EINVAL;
    }
  }
  return ENOENT;
}

}  // namespace

std::vector<KnobSetting> settings_of(const PlatformSpec& spec, const Platform& platform,
                                     const Observation& now) {
  std::vector<KnobSetting> settings;
  for (std::size_t c = 0; c < spec.clusters.size(); ++c) {
    settings.push_back(
        {spec.clusters[c].name + ".freq", frequency(spec.clusters[c], now.cluster[c].opp)});
  }
  for (int a = 0; a < now.app_count; ++a) {
    if (!now.app[a].bound()) continue;
    const Binding& app = platform.binding(a);
    settings.push_back({app.name + ".mapping", spec.mappings[now.app[a].setting.mapping].name});
    settings.push_back(
        {app.name + ".level", level_name(app.knobs, app.levels[now.app[a].setting.level].knob)});
  }
  return settings;
}

Action action_asked(const Observation& now) {
  Action action;
  for (int c = 0; c < now.cluster_count; ++c) action.opp[c] = now.cluster[c].asked_opp;
  for (int a = 0; a < now.app_count; ++a) action.app[a] = now.app[a].setting;
  return action;
}

std::vector<KnobOutcome> restore_knobs(const PlatformSpec& spec, Platform& platform,
                                       const Observation& now, Action action,
                                       const std::vector<KnobSetting>& settings) {
  std::vector<KnobOutcome> outcomes;
  for (const KnobSetting& setting : settings) {
    KnobOutcome outcome{setting.knob, setting.value, "", 0};
    outcome.error = set_knob(spec, platform, now, setting, action);
    outcomes.push_back(std::move(outcome));
  }
  platform.apply(action);
  // What has come of each is asked of the platform, and not believed.
  const std::vector<KnobSetting> there = platform.capture();
  for (KnobOutcome& outcome : outcomes) {
    const auto found = std::find_if(there.begin(), there.end(), [&](const KnobSetting& one) {
      return one.knob == outcome.knob;
    });
    if (found != there.end()) outcome.in_force = found->value;
  }
  return outcomes;
}

}  // namespace flyball
