#include "env/ledger/feasibility.h"

#include <algorithm>
#include <cmath>

#include "env/ledger/arrivals.h"

namespace flyball {

JobCost job_cost(const PlatformSpec& spec, const AppProfile& app, const AppSetting& setting,
                 const OppChoice& opp) {
  const Mapping& mapping = spec.mappings[setting.mapping];
  const int clusters = static_cast<int>(spec.clusters.size());
  JobCost cost;
  cost.alone_ns = execution_ns(spec, app, mapping, setting.level, opp);
  cost.clusters = cluster_mask(mapping);
  const std::array<JobLoad, kMaxClusters> load = job_load(spec, app, mapping, setting.level, opp);
  double fastest_ns = 0, speed = 0;
  for (int c = 0; c < clusters; ++c) {
    cost.busy_cores[c] = load[c].busy_cores;
    cost.busy_nf[c] = load[c].busy_nf;
    cost.static_ma[c] = load[c].static_ma;
    cost.core_busy[c] = load[c].core_busy;
    if (mapping.cores[c] == 0) continue;
    const auto khz = static_cast<double>(spec.clusters[c].opps[opp[c]].freq_khz);
    const double memory_ns = app.unit[c].memory_ms * 1e6;
    const double core_ns = app.unit[c].mcycles * 1e12 / khz + memory_ns;
    cost.speed_share[c] = mapping.cores[c] / core_ns;
    speed += cost.speed_share[c];
    if (fastest_ns != 0 && core_ns >= fastest_ns) continue;
    fastest_ns = core_ns;
    cost.fastest = c;
    cost.cycles_per_ns = khz * 1e-6;
    cost.memory_share = memory_ns / core_ns;
  }
  for (int c = 0; c < clusters; ++c) {
    cost.speed_share[c] /= speed;
    cost.cores[c] = mapping.cores[c];
  }
  return cost;
}

std::vector<BackgroundSegment> background_segments(const PlatformSpec& spec,
                                                   const Scenario& scenario) {
  std::vector<std::int64_t> edges = {0};
  for (const BackgroundLoad& load : scenario.background) {
    edges.push_back(std::max<std::int64_t>(0, load.start_ns));
    edges.push_back(std::max<std::int64_t>(0, load.stop_ns));
  }
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  std::vector<BackgroundSegment> segments;
  for (const std::int64_t edge : edges) {
    BackgroundSegment segment;
    segment.start_ns = edge;
    for (const BackgroundLoad& load : scenario.background) {
      if (edge < load.start_ns || edge >= load.stop_ns) continue;
      segment.cores[load.cluster] += load.cores;
      segment.nf[load.cluster] += load.cores * load.core_nf;
      segment.slowdown += load.memory_slowdown;
    }
    for (std::size_t c = 0; c < spec.clusters.size(); ++c) {
      segment.whole_cores[c] = std::ceil(segment.cores[c]);
    }
    segments.push_back(segment);
  }
  return segments;
}

int segment_at(const std::vector<BackgroundSegment>& segments, std::int64_t ns) {
  const auto after = std::upper_bound(
      segments.begin(), segments.end(), ns,
      [](std::int64_t at, const BackgroundSegment& segment) { return at < segment.start_ns; });
  return std::max(0, static_cast<int>(after - segments.begin()) - 1);
}

double Feasibility::share_beside(const BackgroundSegment& segment, const JobCost& cost) const {
  double share = 0;
  for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
    const double wanted = cost.cores[c] + segment.cores[c];
    share += cost.speed_share[c] * std::min(1.0, spec_.clusters[c].cores / std::max(wanted, 1e-9));
  }
  return share;
}

bool Feasibility::feasible(const AppProfile& app, std::int64_t release_ns,
                           std::int64_t deadline_ns, double work,
                           double accuracy_floor_pct) const {
  const int quickest = app.level_for(accuracy_floor_pct);
  for (int level = 0; level < app.level_count(); ++level) {
    const LevelProfile& profile = app.levels[static_cast<std::size_t>(level)];
    if (profile.accuracy_pct < accuracy_floor_pct) continue;
    // Quickest on one core, and on any number of them unless their scaling was measured.
    if (level != quickest && profile.parallel_fraction.empty()) continue;
    if (feasible_at(app, level, release_ns, deadline_ns, work)) return true;
  }
  return false;
}

bool Feasibility::feasible_at(const AppProfile& app, int level, std::int64_t release_ns,
                              std::int64_t deadline_ns, double work) const {
  const std::size_t first = static_cast<std::size_t>(segment_at(segments_, release_ns));
  for (std::size_t m = 0; m < spec_.mappings.size(); ++m) {
    if (!runs_on(app, spec_.mappings[m])) continue;
    const JobCost cost = job_cost(
        spec_, app, {static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(level)}, top_);
    auto at_ns = static_cast<double>(release_ns);
    double left = work;
    for (std::size_t s = first; s < segments_.size(); ++s) {
      const double rate =
          share_beside(segments_[s], cost) / (cost.alone_ns * (1 + segments_[s].slowdown));
      const double need_ns = left / rate;
      const double end_ns = s + 1 < segments_.size()
                                ? static_cast<double>(segments_[s + 1].start_ns)
                                : static_cast<double>(kNeverNs);
      if (at_ns + need_ns <= end_ns) {
        // A job ends on the nanosecond after its last cycle.
        if (std::ceil(at_ns + need_ns - 1e-3) <= static_cast<double>(deadline_ns)) return true;
        break;
      }
      left -= (end_ns - at_ns) * rate;
      at_ns = end_ns;
      if (at_ns > static_cast<double>(deadline_ns)) break;
    }
  }
  return false;
}

}  // namespace flyball
