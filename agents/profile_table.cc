#include "agents/profile_table.h"

#include <algorithm>
#include <limits>

#include "env/model/idle_states.h"

namespace flyball {

namespace {

constexpr double kTableTempC = 60;  // for the leakage: the middle of what the boards reach

double idle_power_mw(const ClusterSpec& cluster, int opp) {
  ClusterLoad load;
  load.opp = opp;
  load.gate_idle_cores = cluster.gate_idle_cores;
  load.temp_c = kTableTempC;
  return cluster_power_mw(cluster, load);
}

bool quicker(const ProfilePoint& a, const ProfilePoint& b) {
  return a.time_ns != b.time_ns ? a.time_ns < b.time_ns : a.energy_mj < b.energy_mj;
}

}  // namespace

Profile::Profile(const PlatformSpec& platform, const AppProfile& app, double tail_ns, bool learns,
                 double gap_ns)
    : platform_(platform),
      app_(app),
      tail_ns_(tail_ns),
      gap_ns_(gap_ns),
      weighs_gaps_(has_idle_states(platform)) {
  mappings_ = static_cast<int>(platform.mappings.size());
  levels_ = static_cast<int>(app_.levels.size());
  idle_mw_ = platform.board_mw;
  for (const ClusterSpec& cluster : platform.clusters) {
    idle_mw_ += idle_share(cluster, deepest_idle(cluster, true)) * idle_power_mw(cluster, 0);
  }

  std::vector<ProfilePoint> all;
  for (const Mapping& mapping : platform.mappings) {
    for (int level = 0; level < levels_; ++level) {
      Range range{static_cast<std::uint32_t>(points_.size()), 0, 0};
      if (!app_.plain_load && runs_on(app_, mapping)) {
        all.clear();
        for_each_opp_choice(platform, mapping, [&](const OppChoice& opp) {
          all.push_back(point(mapping, level, opp));
        });
        if (learns || weighs_gaps_) {
          keep_choices(all, mapping);
          range.choices = static_cast<std::uint32_t>(all.size());
          for (const ProfilePoint& p : all) choices_.push_back(p.opp);
          scratch_.resize(std::max(scratch_.size(), all.size()));
        }
        std::stable_sort(all.begin(), all.end(), quicker);
        points_.resize(range.begin + all.size());
        keep_best(all.begin(), all.end(), range);
        if (range.choices == 0) points_.resize(range.begin + range.size);
      }
      range_.push_back(range);
    }
  }
}

/// Of points in the order of their time, those that are cheaper than all quicker ones.
void Profile::keep_best(std::vector<ProfilePoint>::iterator begin,
                        std::vector<ProfilePoint>::iterator end, Range& range) {
  range.size = 0;
  for (auto p = begin; p != end; ++p) {
    if (range.size > 0 && p->energy_mj >= points_[range.begin + range.size - 1].energy_mj) continue;
    points_[range.begin + range.size++] = *p;
  }
}

/// Of all choices those that would be on the frontier, were one cluster four times or a quarter as
/// hungry; all of them on one cluster.
void Profile::keep_choices(std::vector<ProfilePoint>& all, const Mapping& mapping) {
  if (std::count_if(mapping.cores.begin(), mapping.cores.end(), [](int n) { return n > 0; }) < 2) {
    return;
  }
  std::stable_sort(all.begin(), all.end(), quicker);
  std::vector<char> keep(all.size(), 0);
  for (int c = -1; c < static_cast<int>(platform_.clusters.size()); ++c) {
    if (c >= 0 && mapping.cores[static_cast<std::size_t>(c)] == 0) continue;
    for (const double hungrier : {0.25, 4.0}) {
      double best = std::numeric_limits<double>::max();
      for (std::size_t i = 0; i < all.size(); ++i) {
        double energy_mj = all[i].energy_mj;
        if (c >= 0) {
          // What the cluster takes of it is about as V^2 f of its clock.
          const OperatingPoint& opp = platform_.clusters[static_cast<std::size_t>(c)]
                                          .opps[all[i].opp[static_cast<std::size_t>(c)]];
          const double weight = opp.voltage_mv * opp.voltage_mv * opp.delivered_khz();
          double sum = 0;
          for (std::size_t other = 0; other < platform_.clusters.size(); ++other) {
            if (mapping.cores[other] == 0) continue;
            const OperatingPoint& its = platform_.clusters[other].opps[all[i].opp[other]];
            sum += its.voltage_mv * its.voltage_mv * its.delivered_khz() *
                   app_.unit[other].core_nf * mapping.cores[other];
          }
          const double share = weight * app_.unit[static_cast<std::size_t>(c)].core_nf *
                               mapping.cores[static_cast<std::size_t>(c)] / sum;
          energy_mj *= 1 + (hungrier - 1) * share;
        }
        if (energy_mj < best) best = energy_mj, keep[i] = 1;
      }
    }
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (keep[i] != 0) all[kept++] = all[i];
  }
  all.resize(kept);
}

void Profile::refresh(int mapping, int level) {
  Range& range = range_[static_cast<std::size_t>(mapping * levels_ + level)];
  const Mapping& cores = platform_.mappings[static_cast<std::size_t>(mapping)];
  const auto end = scratch_.begin() + range.choices;
  for (std::uint32_t i = 0; i < range.choices; ++i) {
    // Nearly in order already: an insertion each.
    const ProfilePoint p = point(cores, level, choices_[range.begin + i]);
    std::uint32_t at = i;
    for (; at > 0 && quicker(p, scratch_[at - 1]); --at) scratch_[at] = scratch_[at - 1];
    scratch_[at] = p;
  }
  keep_best(scratch_.begin(), end, range);
}

int Profile::least_accurate(double accuracy_floor_pct) const {
  int least = level_for(accuracy_floor_pct);
  for (int l = 0; l < levels_; ++l) {
    if (reaches(l, accuracy_floor_pct) && accuracy_pct(l) < accuracy_pct(least)) least = l;
  }
  return least;
}

ProfilePoint Profile::point(const Mapping& mapping, int level, const OppChoice& opp) const {
  ProfilePoint p;
  p.opp = opp;
  p.time_ns = execution_ns(platform_, app_, mapping, level, opp);

  const std::array<JobLoad, kMaxClusters> job = job_load(platform_, app_, mapping, level, opp);
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
    load.temp_c = kTableTempC;
    const double lowest_mw = idle_power_mw(cluster, 0);
    busy_mw += cluster_power_mw(cluster, load) - lowest_mw;
    if (!cluster.idle_states.empty()) {
      const int depth =
          idle_depth(cluster, false, static_cast<std::int64_t>(std::min(p.time_ns, 1e18)));
      const ClusterPower saved =
          idle_saving(cluster, opp[c], mapping.cores[c], load.gate_idle_cores, depth);
      busy_mw -= saved.fixed_mw + saved.leak * leakage_mw(cluster, 1.0, kTableTempC);
      p.energy_mj += lowest_mw * awake_ns(cluster, p.time_ns, gap_ns_) * 1e-9;
    }
    p.energy_mj += (idle_power_mw(cluster, opp[c]) - lowest_mw) * tail_ns_ * 1e-9;
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
  const auto allowed = [&cap](const ProfilePoint& p) { return within_cap(p.opp, cap); };
  for (auto it = after; it != frontier.begin();) {
    if (allowed(*--it)) return static_cast<int>(it - frontier.begin());
  }
  for (auto it = after; it != frontier.end(); ++it) {
    if (allowed(*it)) return static_cast<int>(it - frontier.begin());
  }
  return -1;
}

}  // namespace flyball
