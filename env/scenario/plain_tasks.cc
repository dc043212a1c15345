#include "env/scenario/plain_tasks.h"

#include "env/model/content_hash.h"

namespace flyball {
namespace {

/// Of a busy core: as the plain loads that are known on the cluster, in the mean; else as any
/// application.
UnitProfile known_load(const PlatformSpec& platform, std::size_t cluster) {
  for (const bool plain : {true, false}) {
    UnitProfile unit;
    int count = 0;
    for (const AppProfile& app : platform.apps) {
      const UnitProfile& known = app.unit[cluster];
      if (app.plain_load != plain || !known.supported) continue;
      unit.core_nf += known.core_nf;
      unit.gate_idle_cores = unit.gate_idle_cores || known.gate_idle_cores;
      ++count;
    }
    if (count == 0) continue;
    unit.core_nf /= count;
    return unit;
  }
  return {};
}

}  // namespace

std::string task_profile_name(const std::string& task) { return "task:" + task; }

AppProfile task_profile(const PlatformSpec& platform, const PlainTask& task) {
  AppProfile app;
  app.name = task_profile_name(task.name);
  app.parallel_fraction = 0;
  app.levels = {LevelProfile{}};
  const ClusterSpec& big = platform.clusters[static_cast<std::size_t>(platform.big_cluster())];
  const double mcycles =
      task.work_ms * (1 - task.memory_share) * static_cast<double>(big.opps.back().freq_khz) * 1e-6;
  for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
    const ClusterSpec& cluster = platform.clusters[c];
    if (cluster.kind != ClusterSpec::Kind::kCpu || task.barred[c]) continue;
    UnitProfile& unit = app.unit[c] = known_load(platform, c);
    unit.supported = true;
    unit.core_nf *= task.activity;
    unit.mcycles = mcycles * big.capacity_per_mhz / cluster.capacity_per_mhz;
    unit.memory_ms = task.work_ms * task.memory_share;
  }
  app.content_hash = content_hash(platform, app);
  return app;
}

}  // namespace flyball
