#include "env/ledger/feasibility.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

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
  double fastest_ns = 0, slowest_ns = 0, speed = 0;
  for (int c = 0; c < clusters; ++c) {
    cost.busy_cores[c] = load[c].busy_cores;
    cost.busy_nf[c] = load[c].busy_nf;
    cost.static_ma[c] = load[c].static_ma;
    cost.core_busy[c] = load[c].core_busy;
    if (mapping.cores[c] == 0) continue;
    const double khz = spec.clusters[c].opps[opp[c]].delivered_khz();
    const double memory_ns = app.unit[c].memory_ms * 1e6;
    const double core_ns = app.unit[c].mcycles * 1e12 / khz + memory_ns;
    cost.speed_share[c] = mapping.cores[c] / core_ns;
    if (app.equal_shares) {  // the cores that are slowest say when a job is done
      cost.speed_share[c] = core_ns > slowest_ns ? 1 : 0;
      if (core_ns > slowest_ns) {
        std::fill_n(cost.speed_share.begin(), c, 0.0);
        speed = 0;
        slowest_ns = core_ns;
      }
    }
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

Feasibility::Feasibility(const PlatformSpec& spec, const std::vector<BackgroundSegment>& segments)
    : spec_(spec), segments_(segments) {
  const OppChoice top = highest_opps(spec);
  for (const AppProfile& app : spec.apps) {
    Ways& ways = ways_.emplace_back();
    std::vector<int> levels(app.levels.size());
    std::iota(levels.begin(), levels.end(), 0);
    const auto accuracy_pct = [&](int level) {
      return app.levels[static_cast<std::size_t>(level)].accuracy_pct;
    };
    std::stable_sort(levels.begin(), levels.end(),
                     [&](int a, int b) { return accuracy_pct(a) > accuracy_pct(b); });
    for (const int level : levels) ways.accuracy_pct.push_back(accuracy_pct(level));
    for (std::size_t m = 0; m < spec.mappings.size(); ++m) {
      if (app.plain_load || !runs_on(app, spec.mappings[m])) continue;
      Way& way = ways.way.emplace_back();
      double quickest_ns = std::numeric_limits<double>::infinity();
      for (const int level : levels) {
        quickest_ns = std::min(quickest_ns, execution_ns(spec, app, spec.mappings[m], level, top));
        way.alone_ns.push_back(quickest_ns);
      }
      const JobCost cost = job_cost(spec, app, {static_cast<std::uint8_t>(m), 0}, top);
      way.cores = cost.cores;
      way.speed_share = cost.speed_share;
    }
  }
}

double Feasibility::share_beside(const BackgroundSegment& segment, const Way& way) const {
  double share = 0;
  for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
    const double wanted = way.cores[c] + segment.cores[c];
    share += way.speed_share[c] * std::min(1.0, spec_.clusters[c].cores / std::max(wanted, 1e-9));
  }
  return share;
}

bool Feasibility::feasible(int app, std::int64_t release_ns, std::int64_t deadline_ns, double work,
                           double accuracy_floor_pct) const {
  const Ways& ways = ways_[static_cast<std::size_t>(app)];
  const auto below = std::partition_point(ways.accuracy_pct.begin(), ways.accuracy_pct.end(),
                                          [&](double pct) { return pct >= accuracy_floor_pct; });
  if (below == ways.accuracy_pct.begin()) return false;
  const auto least_accurate = static_cast<std::size_t>(below - ways.accuracy_pct.begin()) - 1;
  return std::any_of(ways.way.begin(), ways.way.end(), [&](const Way& way) {
    return in_time(way, way.alone_ns[least_accurate], release_ns, deadline_ns, work);
  });
}

bool Feasibility::in_time(const Way& way, double alone_ns, std::int64_t release_ns,
                          std::int64_t deadline_ns, double work) const {
  auto at_ns = static_cast<double>(release_ns);
  double left = work;
  for (auto s = static_cast<std::size_t>(segment_at(segments_, release_ns)); s < segments_.size();
       ++s) {
    const double rate = share_beside(segments_[s], way) / (alone_ns * (1 + segments_[s].slowdown));
    const double need_ns = left / rate;
    const double end_ns = s + 1 < segments_.size() ? static_cast<double>(segments_[s + 1].start_ns)
                                                   : static_cast<double>(kNeverNs);
    // A job ends on the nanosecond after its last cycle.
    if (at_ns + need_ns <= end_ns)
      return std::ceil(at_ns + need_ns - 1e-3) <= static_cast<double>(deadline_ns);
    left -= (end_ns - at_ns) * rate;
    at_ns = end_ns;
    if (at_ns > static_cast<double>(deadline_ns)) return false;
  }
  return false;
}

}  // namespace flyball
