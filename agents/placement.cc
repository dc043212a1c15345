#include "agents/placement.h"

#include <algorithm>

namespace flyball {

namespace {

double peak_speed(const ClusterSpec& cluster) {
  return cluster.capacity_per_mhz * static_cast<double>(cluster.opps.back().freq_khz);
}

}  // namespace

double running_share(const Observation& now, int app) {
  if (now.epoch_ns <= 0) return 0;
  const std::int64_t begin = now.now_ns - now.epoch_ns;
  std::int64_t running = 0, free_at = begin;
  for (const JobRecord& job : now.jobs()) {
    if (job.app != app || job.dropped) continue;
    running += std::max<std::int64_t>(0, job.finish_ns - std::max(job.start_ns, begin));
    free_at = std::max(free_at, job.finish_ns);
  }
  // One job of an application runs at a time, so what waits has been running since the last one
  // finished.
  const AppObservation& seen = now.app[app];
  if (seen.backlog > 0)
    running += std::max<std::int64_t>(0, now.now_ns - std::max(free_at, seen.oldest_release_ns));
  return std::min(1.0, static_cast<double>(running) / static_cast<double>(now.epoch_ns));
}

Placement::Placement(Kind kind, const PlatformSpec& platform, const Scenario& scenario)
    : kind_(kind), platform_(platform), scenario_(scenario) {
  double biggest = 0;
  for (const ClusterSpec& cluster : platform.clusters) {
    if (cluster.kind == ClusterSpec::Kind::kCpu) biggest = std::max(biggest, peak_speed(cluster));
  }
  for (int c = 0; c < static_cast<int>(platform.clusters.size()); ++c) {
    if (platform.clusters[c].kind != ClusterSpec::Kind::kCpu) continue;
    capacity_[c] = 1024 * peak_speed(platform.clusters[c]) / biggest;
    by_capacity_[cpu_clusters_++] = c;
  }
  std::stable_sort(by_capacity_.begin(), by_capacity_.begin() + cpu_clusters_,
                   [this](int a, int b) { return capacity_[a] > capacity_[b]; });
  // post_init_entity_util_avg(): a new task counts as half of what a CPU has to spare.
  for (Task& task : task_) task.running.set(512);
}

void Placement::observe(const Observation& now) {
  if (kind_ != Kind::kEnergyAware) return;
  for (int a = 0; a < now.app_count; ++a) {
    // Invariant to frequency and capacity: the same work gives the same signal on every core.
    const Mapping& mapping = platform_.mappings[now.app[a].last_setting.mapping];
    double scale = 0;
    for (int c = 0; c < now.cluster_count; ++c) {
      if (mapping.cores[c] == 0) continue;
      const double relative = static_cast<double>(now.cluster[c].freq_khz) /
                              static_cast<double>(platform_.clusters[c].opps.back().freq_khz);
      scale = std::max(scale, relative * capacity_[c] / 1024);
    }
    Task& task = task_[a];
    task.running.advance(now.epoch_ns, running_share(now, a), scale);
    if (now.app[a].finished > 0) {
      const double util = task.running.util();
      task.at_dequeue =
          util > task.at_dequeue ? util : task.at_dequeue + (util - task.at_dequeue) / 4;
    }
  }
}

double Placement::utilisation(int app) const {
  return std::max(task_[app].running.util(), task_[app].at_dequeue);
}

void Placement::place(const Observation& now, Action& action) const {
  std::array<int, kMaxClusters> taken{};
  for (int a = 0; a < static_cast<int>(scenario_.apps.size()); ++a) {
    const AppSpec& app = scenario_.apps[a];
    AppSetting& setting = action.app[a];
    setting.level = static_cast<std::uint8_t>(platform_.apps[app.profile].levels.size() - 1);
    if (a < now.app_count && !now.app[a].active) {
      setting.mapping = now.app[a].setting.mapping;
      continue;
    }
    const int mapping =
        kind_ == Kind::kEnergyAware ? energy_aware(a, now, taken) : big_first(app, taken);
    setting.mapping = static_cast<std::uint8_t>(std::max(0, mapping));
  }
}

int Placement::mapping_for(const AppSpec& app,
                           const std::array<std::uint8_t, kMaxClusters>& cores) const {
  const AppProfile& profile = platform_.apps[app.profile];
  for (std::size_t m = 0; m < platform_.mappings.size(); ++m) {
    if (platform_.mappings[m].cores != cores) continue;
    for (int c = 0; c < kMaxClusters; ++c) {
      if (cores[c] > 0 && !profile.unit[c].supported) return -1;
    }
    return static_cast<int>(m);
  }
  return -1;
}

int Placement::big_first(const AppSpec& app, std::array<int, kMaxClusters>& taken) const {
  const AppProfile& profile = platform_.apps[app.profile];
  std::array<std::uint8_t, kMaxClusters> cores{};
  int left = app.threads;
  for (int i = 0; i < cpu_clusters_ && left > 0; ++i) {
    const int c = by_capacity_[i];
    if (!profile.unit[c].supported) continue;
    const int here = std::min(left, platform_.clusters[c].cores - taken[c]);
    if (here <= 0) continue;
    cores[c] = static_cast<std::uint8_t>(here);
    left -= here;
  }
  if (const int mapping = mapping_for(app, cores); mapping >= 0) {
    for (int c = 0; c < kMaxClusters; ++c) taken[c] += cores[c];
    return mapping;
  }
  // Every core is taken, or the platform offers no such mixture: share the biggest cores.
  for (int i = 0; i < cpu_clusters_; ++i) {
    const int c = by_capacity_[i];
    if (!profile.unit[c].supported) continue;
    for (int n = std::min(app.threads, platform_.clusters[c].cores); n > 0; --n) {
      std::array<std::uint8_t, kMaxClusters> shared{};
      shared[c] = static_cast<std::uint8_t>(n);
      if (const int mapping = mapping_for(app, shared); mapping >= 0) {
        taken[c] += n;
        return mapping;
      }
    }
  }
  for (std::size_t m = 0; m < platform_.mappings.size(); ++m) {  // an application for the GPU alone
    if (const int mapping = mapping_for(app, platform_.mappings[m].cores); mapping >= 0)
      return mapping;
  }
  return -1;
}

double Placement::spare_capacity(int cluster, int threads, const Observation& now) const {
  const int cores = platform_.clusters[cluster].cores;
  // Busy core equivalents of the epoch that are not the governed applications' own.
  double others = now.cluster[cluster].util_mean * cores;
  for (int a = 0; a < now.app_count; ++a) {
    others -=
        running_share(now, a) * platform_.mappings[now.app[a].last_setting.mapping].cores[cluster];
  }
  // The scheduler keeps other load off these cores as long as there are free ones.
  const double crowding = std::max(0.0, others - (cores - threads)) / threads;
  return capacity_[cluster] * std::max(0.0, 1 - crowding);
}

int Placement::energy_aware(int app, const Observation& now,
                            std::array<int, kMaxClusters>& taken) const {
  const AppSpec& spec = scenario_.apps[app];
  for (int i = cpu_clusters_ - 1; i >= 0; --i) {
    const int c = by_capacity_[i];
    if (platform_.clusters[c].cores - taken[c] < spec.threads) continue;
    if (!fits(utilisation(app), spare_capacity(c, spec.threads, now))) continue;
    std::array<std::uint8_t, kMaxClusters> cores{};
    cores[c] = static_cast<std::uint8_t>(spec.threads);
    if (const int mapping = mapping_for(spec, cores); mapping >= 0) {
      taken[c] += spec.threads;
      return mapping;
    }
  }
  return big_first(spec, taken);
}

}  // namespace flyball
