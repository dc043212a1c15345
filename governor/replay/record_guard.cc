#include "governor/replay/record_guard.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/error.h"

namespace flyball {

void RecordGuard::on_info(const RecordingInfo& info) const {
  const PlatformSpec& here = platform_;
  bool same = info.platform.clusters.size() == here.clusters.size() &&
              info.platform.mappings.size() == here.mappings.size();
  for (std::size_t m = 0; same && m < here.mappings.size(); ++m)
    same = info.platform.mappings[m].name == here.mappings[m].name;
  for (std::size_t c = 0; same && c < here.clusters.size(); ++c) {
    const auto& there = info.platform.clusters[c].opps;
    same = there.size() == here.clusters[c].opps.size();
    for (std::size_t o = 0; same && o < there.size(); ++o)
      same = there[o].freq_khz == here.clusters[c].opps[o].freq_khz;
  }
  if (!same)
    input_error("--platform " + here.name,
                fmt::format("the recording is of a platform '{}' with other clusters, operating "
                            "points or mappings",
                            info.platform.name),
                "name the platform file that the run was made with");
}

void RecordGuard::on_bind(int slot, const Binding& binding) {
  const int known = platform_.find_app(binding.profile);
  const std::size_t levels = binding.levels.size();
  if (known >= 0 && platform_.apps[static_cast<std::size_t>(known)].levels.size() != levels)
    input_error("--platform " + platform_.name,
                fmt::format("'{}' has {} levels in the recording and {} there", binding.profile,
                            levels, platform_.apps[static_cast<std::size_t>(known)].levels.size()),
                "name the platform file and the profile that the run was made with");
  levels_[static_cast<std::size_t>(slot)] = levels;
}

void RecordGuard::on_epoch(const Observation& now, const DecisionRow& row) const {
  const PlatformSpec& here = platform_;
  bool sound = now.cluster_count == static_cast<int>(here.clusters.size()) && now.app_count >= 0 &&
               now.app_count <= kMaxApps;
  for (std::size_t c = 0; sound && c < here.clusters.size(); ++c) {
    const std::size_t opps = here.clusters[c].opps.size();
    const ClusterObservation& cluster = now.cluster[c];
    for (const std::size_t opp : {cluster.opp, cluster.asked_opp, cluster.opp_cap,
                                  row.applied.opp[c], row.decision.action.opp[c]})
      sound = sound && opp < opps;
  }
  const auto check = [&](std::size_t slot, const AppSetting& setting) {
    sound = sound && setting.mapping < here.mappings.size() &&
            setting.level < std::max<std::size_t>(1, levels_[slot]);
  };
  for (std::size_t a = 0; sound && a < static_cast<std::size_t>(now.app_count); ++a) {
    const AppObservation& app = now.app[a];
    if (!app.bound()) continue;
    for (const AppSetting& setting :
         {app.setting, app.last_setting, app.running.setting, row.applied.app[a]})
      check(a, setting);
  }
  for (const JobRecord& job : now.jobs()) {
    sound = sound && job.app < kMaxApps;
    if (sound) check(job.app, job.setting);
  }
  if (!sound)
    input_error("the recording",
                fmt::format("at {} ms it names operating points, mappings or levels that '{}' "
                            "has not",
                            now.now_ns / 1'000'000, here.name),
                "name the platform file that the run was made with");
}

}  // namespace flyball
