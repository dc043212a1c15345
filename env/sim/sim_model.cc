#include "env/sim/sim_model.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "env/model/capacity.h"
#include "env/model/idle_states.h"
#include "kernels/base/det_math.h"

namespace flyball {
namespace {

CpuSet all_cpus(const PlatformSpec& spec) {
  int cores = 0;
  for (const ClusterSpec& cluster : spec.clusters) cores += cluster.cores;
  CpuSet cpus;
  for (int cpu = 0; cpu < cores; ++cpu) cpus.add(cpu);
  return cpus;
}

}  // namespace

SimModel::SimModel(const PlatformSpec& spec_in, const Scenario& scenario_in, double max_step_ms)
    : spec(spec_in),
      scenario(scenario_in),
      ledger(spec_in, scenario_in),
      clusters(static_cast<int>(spec_in.clusters.size())),
      apps(static_cast<int>(scenario_in.apps.size())),
      max_step_ns(std::max<std::int64_t>(1000, std::llround(max_step_ms * 1e6))),
      trip_poll_ns(std::max<std::int64_t>(1000, std::llround(spec_in.trip_poll_ms * 1e6))),
      decision_ns(std::llround(spec_in.decision_latency_us * 1e3)),
      idle_states(has_idle_states(spec_in)),
      cpus(spec_in, all_cpus(spec_in)) {
  for (const Mapping& mapping : spec.mappings) first_cpus.push_back(cpus.allocate(mapping));
  for (std::size_t m = 0; m < spec.mappings.size(); ++m) {
    OppChoice used{};
    for (int c = 0; c < clusters; ++c) {
      used[c] = spec.mappings[m].cores[c] > 0 ? 0xff : 0;
    }
    opp_mask[m] = std::bit_cast<std::uint64_t>(used);
  }
  for (int c = 0; c < clusters; ++c) {
    cores[c] = spec.clusters[c].cores;
    per_core[c] = 1 / cores[c];
    for (std::size_t i = 0; i < spec.clusters[c].opps.size(); ++i) {
      const std::int64_t freq_khz = spec.clusters[c].opps[i].freq_khz;
      point[c][i] = {freq_khz, core_capacity(spec, c, static_cast<double>(freq_khz))};
    }
  }
  tabulate();
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

const JobCost& SimCache::job_cost(const SimModel& model, int app, const AppSetting& setting,
                                  const OppChoice& opp) {
  // Clusters outside the mapping do not matter to the job.
  const std::uint64_t relevant =
      std::bit_cast<std::uint64_t>(opp) & model.opp_mask[setting.mapping];
  const std::uint64_t which = static_cast<std::uint64_t>(setting.mapping) << 8 | setting.level;
  static_assert(kCosts == 1ULL << (64 - 58));
  const std::size_t slot =
      ((relevant + which * 0xd1342543de82ef95ULL) * 0x9e3779b97f4a7c15ULL) >> 58;
  JobCost& entry = costs_[static_cast<std::size_t>(app) * kCosts + slot];
  if (entry.key[0] != relevant || entry.key[1] != which) {
    entry = flyball::job_cost(model.spec, *model.ledger.profile[app], setting,
                              std::bit_cast<OppChoice>(relevant));
    entry.key[0] = relevant;
    entry.key[1] = which;
  }
  return entry;
}

SimCache::Rates SimCache::rates(const RatesKey& key) {
  const std::uint64_t rest = static_cast<std::uint64_t>(key.segment) << 32 |
                             static_cast<std::uint64_t>(key.app + 1) << 16 |
                             static_cast<std::uint64_t>(key.setting.mapping) << 8 |
                             key.setting.level;
  const std::uint64_t mixed =
      (std::bit_cast<std::uint64_t>(key.opp) + rest * 0xd1342543de82ef95ULL) *
      0x9e3779b97f4a7c15ULL;
  static_assert(kRates == 1ULL << (64 - 58));
  const std::size_t slot = mixed >> 58;
  return {&keys_[slot], &job_rates_[slot], &cluster_rates_[slot * clusters_]};
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
