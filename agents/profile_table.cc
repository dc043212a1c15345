#include "agents/profile_table.h"

#include <algorithm>
#include <bit>

namespace flyball {

namespace {

constexpr double kTempC = 60;  // for the leakage: the middle of what the boards reach

double idle_power_mw(const ClusterSpec& cluster, int opp) {
  ClusterLoad load;
  load.opp = opp;
  load.gate_idle_cores = cluster.gate_idle_cores;
  load.temp_c = kTempC;
  return cluster_power_mw(cluster, load);
}

}  // namespace

Profile::Profile(const PlatformSpec& platform, const AppProfile& app, double tail_ns)
    : platform_(platform), app_(app) {
  mappings_ = static_cast<int>(platform.mappings.size());
  levels_ = static_cast<int>(app_.levels.size());
  idle_mw_ = platform.board_mw;
  for (const ClusterSpec& cluster : platform.clusters) idle_mw_ += idle_power_mw(cluster, 0);

  std::vector<ProfilePoint> all;
  for (const Mapping& mapping : platform.mappings) {
    for (int width = 0; width < levels_; ++width) {
      Range range{static_cast<std::uint32_t>(points_.size()), 0};
      if (!app_.plain_load && runs_on(app_, mapping)) {
        all.clear();
        for_each_opp_choice(platform, mapping, [&](const OppChoice& opp) {
          all.push_back(point(mapping, width, opp, tail_ns));
        });
        std::stable_sort(all.begin(), all.end(), [](const ProfilePoint& a, const ProfilePoint& b) {
          return a.time_ns != b.time_ns ? a.time_ns < b.time_ns : a.energy_mj < b.energy_mj;
        });
        for (const ProfilePoint& p : all) {
          if (range.size == 0 || p.energy_mj < points_.back().energy_mj) {
            points_.push_back(p);
            ++range.size;
          }
        }
      }
      range_.push_back(range);
    }
  }
}

ProfilePoint Profile::point(const Mapping& mapping, int width, const OppChoice& opp,
                            double tail_ns) const {
  ProfilePoint p;
  p.opp = opp;
  p.time_ns = execution_ns(platform_, app_, mapping, width, opp);

  const std::array<JobLoad, kMaxClusters> job = job_load(platform_, app_, mapping, width, opp);
  double busy_mw = 0;
  for (std::size_t c = 0; c < platform_.clusters.size(); ++c) {
    if (mapping.cores[c] == 0) continue;
    const ClusterSpec& cluster = platform_.clusters[c];
    ClusterLoad load;
    load.opp = opp[c];
    load.busy_cores = job[c].busy_cores;
    load.busy_nf = job[c].busy_nf;
    load.static_ma = job[c].static_ma;
    load.gate_idle_cores = cluster.gate_idle_cores || app_.unit[c].gate_idle_cores;
    load.temp_c = kTempC;
    const double lowest_mw = idle_power_mw(cluster, 0);
    busy_mw += cluster_power_mw(cluster, load) - lowest_mw;
    p.energy_mj += (idle_power_mw(cluster, opp[c]) - lowest_mw) * tail_ns * 1e-9;
  }
  p.energy_mj += busy_mw * p.time_ns * 1e-9;  // mW * ns = 1e-12 J = 1e-9 mJ
  return p;
}

int cheapest_within(std::span<const ProfilePoint> frontier, double limit_ns, const OppChoice& cap) {
  // Energy falls along the frontier, so the answer is the last point in time, unless a cap forbids
  // it.
  const auto after =
      std::upper_bound(frontier.begin(), frontier.end(), limit_ns,
                       [](double limit, const ProfilePoint& p) { return limit < p.time_ns; });
  // All clusters at once: a byte keeps its top bit when the OPP is not above the cap, and none borrows
  // from its neighbour. A cap is an OPP, so below 128, or 255.
  static_assert(kMaxOpps <= 128 && sizeof(OppChoice) == sizeof(std::uint64_t));
  constexpr std::uint64_t kTop = 0x8080808080808080;
  const std::uint64_t highest = std::bit_cast<std::uint64_t>(cap) | kTop;
  const auto allowed = [highest](const ProfilePoint& p) {
    return ((highest - std::bit_cast<std::uint64_t>(p.opp)) & kTop) == kTop;
  };
  for (auto it = after; it != frontier.begin();) {
    if (allowed(*--it)) return static_cast<int>(it - frontier.begin());
  }
  for (auto it = after; it != frontier.end(); ++it) {
    if (allowed(*it)) return static_cast<int>(it - frontier.begin());
  }
  return -1;
}

}  // namespace flyball
