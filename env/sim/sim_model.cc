#include "env/sim/sim_model.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/base/det_math.h"
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
    OppChoice used{};
    for (int c = 0; c < clusters; ++c) {
      used[c] = spec.mappings[m].cores[c] > 0 ? 0xff : 0;
    }
    opp_mask[m] = std::bit_cast<std::uint32_t>(used);
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
    for (int c = 0; c < clusters; ++c) segment.whole_cores[c] = std::ceil(segment.cores[c]);
    segments.push_back(segment);
  }
}

void SimModel::tabulate() {
  for (int c = 0; c < clusters; ++c) {
    for (int i = 0; i < kLeakPoints; ++i) {
      leak_[c][i] = leakage_mw(spec.clusters[c], 1.0, kLeakFromC + i);
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

JobCost SimModel::job_cost(int app, const AppSetting& setting, const OppChoice& opp) const {
  const AppProfile& job = *profile[app];
  const Mapping& mapping = spec.mappings[setting.mapping];
  JobCost cost;
  cost.alone_ns = execution_ns(spec, job, mapping, setting.level, opp);
  const std::array<JobLoad, kMaxClusters> load = job_load(spec, job, mapping, setting.level, opp);
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
  for (int c = 0; c < clusters; ++c) {
    cost.speed_share[c] /= speed;
    cost.cores[c] = mapping.cores[c];
    if (mapping.cores[c] == 0) continue;
    cost.core_busy[c] = c == cost.fastest ? 1.0 : cost.busy_cores[c] / cost.cores[c];
  }
  return cost;
}

void SimModel::compute_lags(std::int64_t step_ns, Lags& lags) const {
  const double step_s = static_cast<double>(step_ns) * 1e-9;
  for (std::size_t i = 0; i < inverse_tau_.size(); ++i) lags[i] = det_lag(step_s * inverse_tau_[i]);
}

void SimModel::thermal_step(double total_w, const Lags& lags, ThermalState& state) const {
  for (const Term& term : terms_) {
    double& filtered_w = state.filtered_w[term.node][term.term];
    filtered_w += (total_w - filtered_w) * lags[term.tau];
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
  const int quickest = job.level_for(accuracy_floor_pct);
  for (int level = 0; level < job.level_count(); ++level) {
    const LevelProfile& width = job.levels[level];
    if (width.accuracy_pct < accuracy_floor_pct) continue;
    // Quickest on one core, and on any number of them unless their scaling was measured.
    if (level != quickest && width.parallel_fraction.empty()) continue;
    if (feasible_at(app, level, top, release_ns, deadline_ns, work)) return true;
  }
  return false;
}

bool SimModel::feasible_at(int app, int level, const OppChoice& top, std::int64_t release_ns,
                           std::int64_t deadline_ns, double work) const {
  const std::size_t first = static_cast<std::size_t>(segment_at(release_ns));
  for (std::size_t m = 0; m < spec.mappings.size(); ++m) {
    if (!supported[app][m]) continue;
    const JobCost cost =
        job_cost(app, {static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(level)}, top);
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
  const std::uint32_t relevant =
      std::bit_cast<std::uint32_t>(opp) & model.opp_mask[setting.mapping];
  const std::uint64_t key = static_cast<std::uint64_t>(setting.mapping) << 40 |
                            static_cast<std::uint64_t>(setting.level) << 32 | relevant;
  static_assert(kCosts == 1ULL << (64 - 56));
  const std::size_t slot = (key * 0x9e3779b97f4a7c15ULL) >> 56;
  JobCost& entry = costs_[static_cast<std::size_t>(app) * kCosts + slot];
  if (entry.key != key) {
    entry = model.job_cost(app, setting, std::bit_cast<OppChoice>(relevant));
    entry.key = key;
  }
  return entry;
}

const SimModel::Lags& SimCache::lags(const SimModel& model, std::int64_t step_ns) {
  StepLags& entry = lags_[static_cast<std::uint64_t>(step_ns) * 0x9e3779b97f4a7c15ULL >> 61];
  static_assert(kSteps == 1ULL << (64 - 61));
  if (entry.step_ns != step_ns) {
    entry.step_ns = step_ns;
    model.compute_lags(step_ns, entry.lags);
  }
  return entry.lags;
}

}  // namespace flyball
