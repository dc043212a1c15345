#include <algorithm>
#include <bit>

#include "env/sim/engine.h"

// Rates, powers and temperatures: what they are now, and what comes of them over time.

namespace flyball {
namespace {

/// The nanosecond after `now_ns` at which a time that is left has passed, 1 later at least. One that
/// rounding put a hair above a whole nanosecond is that nanosecond.
std::int64_t end_ns(std::int64_t now_ns, double left_ns) {
  constexpr double kRoundNs = 1e-3;
  constexpr double kFarNs =
      4e18;  // 130 years; a run of as many before them is a number of ns still
  if (!(left_ns < kFarNs)) return kNeverNs;
  const double exact_ns = left_ns - kRoundNs;
  const auto below_ns = static_cast<std::int64_t>(exact_ns);  // std::ceil is a call without SSE4.1
  return now_ns + std::max<std::int64_t>(
                      1, static_cast<double>(below_ns) < exact_ns ? below_ns + 1 : below_ns);
}

}  // namespace

void Engine::refresh() {
  s_.dirty = false;
  s_.next_ns = SimState::kUnknownNs;  // jobs end at other times
  // Without a second job there are few cases, and they come again and again.
  if (s_.jobs.running > 1) {
    compute_rates();
  } else {
    recall_rates();
  }
  if (m_.idle_states) look_at_idleness();
  s_.total_mw = m_.spec.board_mw;
  for (int c = 0; c < m_.clusters; ++c) {
    SimCluster& cluster = s_.cluster[c];
    cluster.power_mw = cluster_mw(c);
    s_.total_mw += cluster.power_mw;
  }
  for (int a = 0; a < m_.apps; ++a) {
    if (!s_.jobs.app[a].running) continue;
    SimJob& run = s_.run[a];
    run.finish_ns = end_ns(s_.now_ns, run.overhead_ns + run.left / run.rates.work);
  }
}

double Engine::cluster_mw(int c) const {
  const SimCluster& cluster = s_.cluster[c];
  const double mw = cluster.rates.fixed_mw + cluster.rates.leak * cluster.leakage_mw;
  if (!m_.idle_states) return mw;
  return mw - s_.idle[c].saved.fixed_mw - s_.idle[c].saved.leak * cluster.leakage_mw;
}

void Engine::recall_rates() {
  RatesKey key;
  for (int c = 0; c < m_.clusters; ++c) key.opp[c] = s_.knobs.cluster[c].opp;
  key.segment = s_.script.segment;
  if (s_.jobs.running == 1) {
    int app = 0;
    while (!s_.jobs.app[app].running) ++app;
    if (wakes(app)) {  // the clusters as if there were none
      s_.run[app].rates = {};
    } else {
      key.app = static_cast<std::int16_t>(app);
      key.setting = s_.jobs.app[app].job_setting;
    }
  }
  const SimCache::Rates known = cache_.rates(key);
  if (*known.key == key) {
    for (int c = 0; c < m_.clusters; ++c) s_.cluster[c].rates = known.cluster[c];
    if (key.app >= 0) s_.run[key.app].rates = *known.job;
    return;
  }
  compute_rates();
  *known.key = key;
  for (int c = 0; c < m_.clusters; ++c) known.cluster[c] = s_.cluster[c].rates;
  if (key.app >= 0) *known.job = s_.run[key.app].rates;
}

void Engine::compute_rates() {
  const BackgroundSegment& background = m_.ledger.segments[s_.script.segment];
  OppChoice opp{};
  for (int c = 0; c < m_.clusters; ++c) opp[c] = s_.knobs.cluster[c].opp;
  std::array<const JobCost*, kMaxApps> cost;
  double memory_sum = 0;
  for (int a = 0; a < m_.apps; ++a) {
    cost[a] = nullptr;
    if (!s_.jobs.app[a].running) continue;
    if (wakes(a)) {
      s_.run[a].rates = {};
      continue;
    }
    cost[a] = &cache_.job_cost(m_, a, s_.jobs.app[a].job_setting, opp);
    memory_sum += cost[a]->memory_share;
  }
  std::array<double, kMaxClusters> share;
  for (int c = 0; c < m_.clusters; ++c) {
    double wanted = background.cores[c];
    for (int a = 0; a < m_.apps; ++a) {
      if (cost[a] != nullptr) wanted += cost[a]->cores[c];
    }
    // More threads than cores: everyone gets the same part of what it wants.
    const double cores = m_.spec.clusters[c].cores;
    share[c] = wanted > cores ? cores / wanted : 1.0;
    compute_cluster(c, share[c], cost);
  }
  for (int a = 0; a < m_.apps; ++a) {
    if (cost[a] == nullptr) continue;
    // An access to memory waits behind those of other jobs for the part of the time that these are
    // at memory; the background says by itself how much it slows.
    const double others = memory_sum - cost[a]->memory_share;
    compute_job(a, *cost[a], 1 + background.slowdown + cost[a]->memory_share * others, share);
  }
}

void Engine::compute_job(int a, const JobCost& cost, double slowdown,
                         const std::array<double, kMaxClusters>& share) {
  JobRates& rates = s_.run[a].rates;
  double speed = 0;
  rates = {};
  // Whatever slows a job but the share of its cores is time at memory.
  const double stalled = 1 - (1 - cost.memory_share) / slowdown;
  for (unsigned left = cost.clusters; left != 0; left &= left - 1) {
    const int c = std::countr_zero(left);
    speed += cost.speed_share[c] * share[c];
    rates.core_busy[c] = share[c] * cost.core_busy[c];
    const UnitProfile& unit = m_.ledger.profile[a]->unit[c];
    const double khz = m_.spec.clusters[c].opps[s_.knobs.cluster[c].opp].delivered_khz();
    const double busy = cost.busy_cores[c] * share[c];
    const double cycles = busy * khz * 1e-6;
    const double misses = busy * cost.memory_share / (slowdown * unit.miss_ns);
    const CounterFlow part{.instructions = cycles * (1 - stalled) * unit.ipc,
                           .cycles = cycles,
                           .references = misses * unit.references_per_miss,
                           .misses = misses,
                           .stalls = cycles * stalled};
    rates.flow.add(part, 1);
    s_.cluster[c].rates.flow.add(part, 1);
  }
  rates.work = speed / (cost.alone_ns * slowdown);
  rates.cycles_per_ns = cost.cycles_per_ns * share[cost.fastest];
}

void Engine::compute_cluster(int c, double share,
                             const std::array<const JobCost*, kMaxApps>& cost) {
  const BackgroundSegment& background = m_.ledger.segments[s_.script.segment];
  const ClusterSpec& spec = m_.spec.clusters[c];
  ClusterRates& cluster = s_.cluster[c].rates;
  ClusterLoad load;
  load.opp = s_.knobs.cluster[c].opp;
  load.busy_cores = background.cores[c];
  load.busy_nf = background.nf[c];
  load.gate_idle_cores = spec.gate_idle_cores;
  for (int a = 0; a < m_.apps; ++a) {
    if (cost[a] == nullptr || cost[a]->busy_cores[c] == 0) continue;
    load.busy_cores += cost[a]->busy_cores[c];
    load.busy_nf += cost[a]->busy_nf[c];
    load.static_ma += cost[a]->static_ma[c];
    load.gate_idle_cores = load.gate_idle_cores || m_.ledger.profile[a]->unit[c].gate_idle_cores;
  }
  load.busy_cores *= share;
  load.busy_nf *= share;
  const ClusterPower power = cluster_power(spec, load);
  cluster.busy_cores = load.busy_cores;
  cluster.background_core = share * std::min(1.0, background.cores[c]);
  cluster.fixed_mw = power.fixed_mw;
  cluster.leak = power.leak;
  // The background's instructions: those of an assumed mean program, which waits for memory for as
  // long as it makes others wait. The jobs add theirs in compute_job().
  const double ghz = spec.opps[load.opp].delivered_khz() * 1e-6;
  const double others = share * background.cores[c] * ghz;
  const double stalled = background.slowdown / (1 + background.slowdown);
  const UnitProfile assumed;
  const double misses = share * background.cores[c] * stalled / assumed.miss_ns;
  cluster.flow = {.instructions = others * (1 - stalled) * assumed.ipc,
                  .cycles = others,
                  .references = misses * assumed.references_per_miss,
                  .misses = misses,
                  .stalls = others * stalled};
}

void Engine::settle() {
  const std::int64_t span_ns = s_.now_ns - s_.settled_ns;
  if (span_ns <= 0) return;
  s_.settled_ns = s_.now_ns;
  const auto dt_ns = static_cast<double>(span_ns);
  const double energy_mj = s_.total_mw * dt_ns * 1e-9;
  s_.total_mj += energy_mj;
  s_.epoch_mj += energy_mj;
  s_.thermal_mj += energy_mj;
  s_.battery_mj = std::max(0.0, s_.battery_mj - energy_mj);
  for (int c = 0; c < m_.clusters; ++c) {
    SimCluster& cluster = s_.cluster[c];
    cluster.energy_mj += cluster.power_mw * dt_ns * 1e-9;
    if (cluster.rates.busy_cores == 0) continue;
    cluster.busy_core_ns += cluster.rates.busy_cores * dt_ns;
    cluster.background_ns += cluster.rates.background_core * dt_ns;
    cluster.counted.add(cluster.rates.flow, dt_ns);
  }
  ledger_.charge(energy_mj);
  if (s_.jobs.running > 0) settle_jobs(dt_ns);
}

void Engine::settle_jobs(double dt_ns) {
  for (int a = 0; a < m_.apps; ++a) {
    LedgerApp& app = s_.jobs.app[a];
    if (!app.running) continue;
    SimJob& run = s_.run[a];
    const double overhead_ns = std::min(run.overhead_ns, dt_ns);
    run.overhead_ns -= overhead_ns;
    run.left -= run.rates.work * (dt_ns - overhead_ns);
    app.job_cycles += run.rates.cycles_per_ns * (dt_ns - overhead_ns);
    for (int c = 0; c < m_.clusters; ++c) {
      run.busy_ns[c] += run.rates.core_busy[c] * dt_ns;
      run.wanted_cores[c] = std::max(run.wanted_cores[c], run.cores[c]);
    }
    run.counted.add(run.rates.flow, dt_ns);
  }
}

void Engine::thermal_step() {
  const std::int64_t span_ns = s_.now_ns - s_.thermal_ns;
  if (span_ns <= 0) return;
  s_.thermal_ns = s_.now_ns;
  // The mean power of the step: time constants are seconds, a step is milliseconds.
  const double dt_s = static_cast<double>(span_ns) * 1e-9;
  m_.thermal_step(s_.thermal_mj / dt_s * 1e-3, cache_.lags(m_, span_ns), s_.thermal);
  s_.thermal_mj = 0;
  settle_temperatures();
}

void Engine::settle_temperatures() {
  m_.update_temperatures(s_.thermal);
  s_.total_mw = m_.spec.board_mw;
  for (int c = 0; c < m_.clusters; ++c) {
    SimCluster& cluster = s_.cluster[c];
    cluster.temp_c = cluster_temp_c(m_.spec, s_.thermal, c);
    cluster.leakage_mw = m_.leakage(c, cluster.temp_c);
    cluster.power_mw = cluster_mw(c);
    s_.total_mw += cluster.power_mw;
  }
}

}  // namespace flyball
