#include "env/sim/sim_model.h"

#include <algorithm>
#include <cmath>

#include "env/model/det_math.h"
#include "env/sim/arrivals.h"

namespace flyball {

SimModel::SimModel(const PlatformSpec& spec_in, const Scenario& scenario_in, double max_step_ms)
    : spec(spec_in),
      scenario(scenario_in),
      clusters(static_cast<int>(spec_in.clusters.size())),
      apps(static_cast<int>(scenario_in.apps.size())),
      max_step_ns(std::max<std::int64_t>(1000, std::llround(max_step_ms * 1e6))),
      trip_poll_ns(std::max<std::int64_t>(1000, std::llround(spec_in.trip_poll_ms * 1e6))) {
  for (int a = 0; a < apps; ++a) {
    profile[a] = &spec.apps[static_cast<std::size_t>(scenario.apps[a].profile)];
    for (std::size_t m = 0; m < spec.mappings.size(); ++m) {
      supported[a][m] = runs_on(*profile[a], spec.mappings[m]);
    }
  }
  for (std::size_t m = 0; m < spec.mappings.size(); ++m) {
    for (int c = 0; c < clusters; ++c) {
      if (spec.mappings[m].cores[c] > 0) cluster_mask[m] |= static_cast<std::uint8_t>(1u << c);
    }
  }
  cut_segments();
  tabulate();
}

void SimModel::cut_segments() {
  std::vector<std::int64_t> edges = {0};
  for (const BackgroundLoad& load : scenario.background) {
    edges.push_back(std::max<std::int64_t>(0, load.start_ns));
    edges.push_back(std::max<std::int64_t>(0, load.stop_ns));
  }
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  for (const std::int64_t edge : edges) {
    Segment segment;
    segment.start_ns = edge;
    for (const BackgroundLoad& load : scenario.background) {
      if (edge < load.start_ns || edge >= load.stop_ns) continue;
      segment.cores[load.cluster] += load.cores;
      segment.nf[load.cluster] += load.cores * load.core_nf;
      segment.slowdown += load.memory_slowdown;
    }
    segments.push_back(segment);
  }
}

void SimModel::tabulate() {
  for (int c = 0; c < clusters; ++c) {
    for (int i = 0; i < kLeakPoints; ++i) {
      leak_[c][i] = leakage_mw(spec.clusters[c], 1.0, kLeakFromC + i) * 1e-3;
    }
  }
  for (std::size_t n = 0; n < spec.thermal.size(); ++n) {
    for (std::size_t t = 0; t < spec.thermal[n].terms.size(); ++t) {
      const ThermalTerm& term = spec.thermal[n].terms[t];
      const double inverse = 1 / term.tau_s;
      const auto found = std::find(inverse_tau_.begin(), inverse_tau_.end(), inverse);
      const auto index = static_cast<int>(found - inverse_tau_.begin());
      if (found == inverse_tau_.end()) inverse_tau_.push_back(inverse);
      terms_.push_back({static_cast<int>(n), static_cast<int>(t), index, term.r_k_per_w});
    }
  }
}

int SimModel::segment_at(std::int64_t ns) const {
  const auto after = std::upper_bound(
      segments.begin(), segments.end(), ns,
      [](std::int64_t at, const Segment& segment) { return at < segment.start_ns; });
  return std::max(0, static_cast<int>(after - segments.begin()) - 1);
}

double SimModel::switch_ns(const AppSetting& before, const AppSetting& after) const {
  double ns = before.width != after.width ? spec.width_switch_us * 1e3 : 0;
  // Fewer or more cores of the same clusters find their caches warm; so does a part of them.
  if ((cluster_mask[after.mapping] & ~cluster_mask[before.mapping]) != 0) {
    ns += spec.migration_us * 1e3 + spec.cold_cache_ms * 1e6;
  }
  return ns;
}

JobCost SimModel::job_cost(int app, const AppSetting& setting, const OppChoice& opp) const {
  const AppProfile& job = *profile[app];
  const Mapping& mapping = spec.mappings[setting.mapping];
  JobCost cost;
  cost.alone_ns = execution_ns(spec, job, mapping, setting.width, opp);
  const std::array<JobLoad, kMaxClusters> load = job_load(spec, job, mapping, setting.width, opp);
  double fastest_ns = 0, speed = 0;
  for (int c = 0; c < clusters; ++c) {
    cost.busy_cores[c] = load[c].busy_cores;
    cost.busy_nf[c] = load[c].busy_nf;
    cost.static_ma[c] = load[c].static_ma;
    if (mapping.cores[c] == 0) continue;
    const auto khz = static_cast<double>(spec.clusters[c].opps[opp[c]].freq_khz);
    const double memory_ns = job.unit[c].memory_ms * 1e6;
    const double core_ns = job.unit[c].mcycles * 1e12 / khz + memory_ns;
    cost.speed_share[c] = mapping.cores[c] / core_ns;
    speed += cost.speed_share[c];
    if (fastest_ns != 0 && core_ns >= fastest_ns) continue;
    fastest_ns = core_ns;
    cost.fastest = c;
    cost.cycles_per_ns = khz * 1e-6;
    cost.memory_share = memory_ns / core_ns;
  }
  for (double& share : cost.speed_share) share /= speed;
  return cost;
}

ClusterPower SimModel::cluster_power(int cluster, const ClusterLoad& load) const {
  // The model is linear in the leakage at 1 V: two temperatures give both coefficients.
  constexpr double kLowC = 20, kHighC = 90;
  ClusterLoad at = load;
  at.temp_c = kLowC;
  const double low_mw = cluster_power_mw(spec.clusters[cluster], at);
  at.temp_c = kHighC;
  const double high_mw = cluster_power_mw(spec.clusters[cluster], at);
  const double rise = leakage(cluster, kHighC) - leakage(cluster, kLowC);
  ClusterPower power;
  power.leak = rise > 0 ? (high_mw - low_mw) / rise : 0;
  power.fixed_mw = low_mw - power.leak * leakage(cluster, kLowC);
  return power;
}

void SimModel::thermal_step(double total_w, double dt_s, ThermalState& state) const {
  std::array<double, kMaxThermalNodes * kMaxThermalTerms> lag;
  for (std::size_t i = 0; i < inverse_tau_.size(); ++i) lag[i] = det_lag(dt_s * inverse_tau_[i]);
  for (const Term& term : terms_) {
    double& filtered_w = state.filtered_w[term.node][term.term];
    filtered_w += (total_w - filtered_w) * lag[term.tau];
  }
}

void SimModel::update_temperatures(ThermalState& state) const {
  for (std::size_t n = 0; n < spec.thermal.size(); ++n) {
    state.temp_c[n] = state.ambient_c + spec.thermal[n].offset_c;
  }
  for (const Term& term : terms_) {
    state.temp_c[term.node] += term.r_k_per_w * state.filtered_w[term.node][term.term];
  }
}

double SimModel::share_beside(const Segment& segment, const Mapping& mapping,
                              const JobCost& cost) const {
  double share = 0;
  for (int c = 0; c < clusters; ++c) {
    const double wanted = mapping.cores[c] + segment.cores[c];
    share += cost.speed_share[c] * std::min(1.0, spec.clusters[c].cores / std::max(wanted, 1e-9));
  }
  return share;
}

bool SimModel::feasible(int app, std::int64_t release_ns, std::int64_t deadline_ns, double work,
                        double accuracy_floor_pct) const {
  const AppProfile& job = *profile[app];
  OppChoice top{};
  for (int c = 0; c < clusters; ++c) {
    top[c] = static_cast<std::uint8_t>(spec.clusters[c].max_opp());
  }
  int width = -1;
  for (int w = 0; w < static_cast<int>(job.widths.size()); ++w) {
    if (job.widths[w].accuracy_pct < accuracy_floor_pct) continue;
    if (width < 0 || job.widths[w].time_factor < job.widths[width].time_factor) width = w;
  }
  if (width < 0) return false;

  const std::size_t first = static_cast<std::size_t>(segment_at(release_ns));
  for (std::size_t m = 0; m < spec.mappings.size(); ++m) {
    if (!supported[app][m]) continue;
    const JobCost cost =
        job_cost(app, {static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(width)}, top);
    auto at_ns = static_cast<double>(release_ns);
    double left = work;
    for (std::size_t s = first; s < segments.size(); ++s) {
      const double rate = share_beside(segments[s], spec.mappings[m], cost) /
                          (cost.alone_ns * (1 + segments[s].slowdown));
      const double need_ns = left / rate;
      const double end_ns = s + 1 < segments.size() ? static_cast<double>(segments[s + 1].start_ns)
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

const JobCost& SimCache::job_cost(const SimModel& model, int app, const AppSetting& setting,
                                  const OppChoice& opp) {
  // Clusters outside the mapping do not matter to the job.
  const unsigned mask = model.cluster_mask[setting.mapping];
  std::uint64_t key = static_cast<std::uint64_t>(setting.mapping) << 40 |
                      static_cast<std::uint64_t>(setting.width) << 32;
  OppChoice relevant{};
  for (int c = 0; c < kMaxClusters; ++c) {
    if ((mask >> c & 1) == 0) continue;
    relevant[c] = opp[c];
    key |= static_cast<std::uint64_t>(opp[c]) << (8 * c);
  }
  static_assert(kCosts == 1ULL << (64 - 56));
  const std::size_t slot = (key * 0x9e3779b97f4a7c15ULL) >> 56;
  JobCost& entry = costs_[static_cast<std::size_t>(app) * kCosts + slot];
  if (entry.key != key) {
    entry = model.job_cost(app, setting, relevant);
    entry.key = key;
  }
  return entry;
}

const ClusterPower& SimCache::cluster_power(const SimModel& model, int cluster,
                                            const ClusterLoad& load) {
  PowerSet& set = powers_[cluster][load.opp];
  for (PowerEntry& entry : set.way) {
    if (entry.busy_cores == load.busy_cores && entry.busy_nf == load.busy_nf &&
        entry.static_ma == load.static_ma && entry.gated == load.gate_idle_cores) {
      return entry.power;
    }
  }
  PowerEntry& entry = set.way[set.next];
  set.next = (set.next + 1) % kWays;
  entry = {load.busy_cores, load.busy_nf, load.static_ma, load.gate_idle_cores,
           model.cluster_power(cluster, load)};
  return entry.power;
}

}  // namespace flyball
