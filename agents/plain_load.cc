#include "agents/plain_load.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "agents/opp_search.h"
#include "env/model/idle_states.h"
#include "env/model/model.h"

namespace flyball {
namespace {

constexpr double kAssumedTempC = 50;  // of the die, for its leakage

/// Switched capacitance of a busy core of an unknown program: the platform's plain loads', else all
/// applications'.
double busy_core_nf(const PlatformSpec& platform, int cluster) {
  double sum = 0;
  int count = 0;
  for (const bool plain : {true, false}) {
    for (const AppProfile& app : platform.apps) {
      const UnitProfile& unit = app.unit[static_cast<std::size_t>(cluster)];
      if (app.plain_load != plain || !unit.supported) continue;
      sum += unit.core_nf;
      ++count;
    }
    if (count > 0) return sum / count;
  }
  return 0;
}

/// Which part of its busy time the cluster waited for memory; 0 where nobody counts that.
double stall_share_of(const ClusterObservation& seen) {
  const double share = seen.counters.stall_share();
  return std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0;
}

}  // namespace

PlainLoad::PlainLoad(const AgentContext& context)
    : LinuxGovernor(context, Placement::Kind::kEnergyAware) {
  const PlatformSpec& platform = context.belief.mean;
  for (int c = 0; c < cluster_count(); ++c) {
    const ClusterSpec& cluster = cluster_spec(c);
    trip_c_.push_back(std::numeric_limits<double>::infinity());
    for (const TripPoint& trip : platform.trips) {
      if (trip.cluster == c && trip.kind != TripPoint::Kind::kCritical)
        trip_c_.back() = std::min(trip_c_.back(), trip.temp_c);
    }
    const double core_nf = busy_core_nf(platform, c);
    auto& points = power_.emplace_back();
    for (int opp = 0; opp <= cluster.max_opp(); ++opp) {
      ClusterLoad load{
          .opp = opp, .gate_idle_cores = cluster.gate_idle_cores, .temp_c = kAssumedTempC};
      const double idle_mw = cluster_power_mw(cluster, load);
      load.busy_cores = 1;
      load.busy_nf = core_nf;
      points.push_back({idle_mw, cluster_power_mw(cluster, load) - idle_mw});
    }
  }
}

int PlainLoad::cool_cap(int cluster, const Observation& now, int cap, Policy& policy) const {
  const double below_k = trip_c_[static_cast<std::size_t>(cluster)] -
                         now.cluster[static_cast<std::size_t>(cluster)].temp_c;
  if (now.now_ns - policy.heat_ns >= kHeatStepNs) {
    const int before = policy.heat_steps;
    if (below_k < kHeatMarginK && policy.heat_steps < cluster_spec(cluster).max_opp())
      ++policy.heat_steps;
    if (below_k > kCoolMarginK && policy.heat_steps > 0) --policy.heat_steps;
    if (policy.heat_steps != before) policy.heat_ns = now.now_ns;
  }
  return std::min(cap, cluster_spec(cluster).max_opp() - policy.heat_steps);
}

/// From `least` up, with `busy_core_khz` of work on all its cores together, `busiest_khz` of it on
/// one.
int PlainLoad::cheapest(int cluster, int least, int cap, double busy_core_khz,
                        double busiest_khz) const {
  const ClusterSpec& spec = cluster_spec(cluster);
  const auto& points = power_[static_cast<std::size_t>(cluster)];
  int best = least;
  double best_mw = 0;
  for (int opp = least; opp <= cap; ++opp) {
    const auto at = static_cast<std::size_t>(opp);
    const double busy_cores = busy_core_khz / static_cast<double>(spec.opps[at].freq_khz);
    double mw = points[at].idle_mw + busy_cores * points[at].busy_core_mw;
    if (!spec.idle_states.empty()) {
      const double idle =
          std::max(0.0, 1 - busiest_khz / static_cast<double>(spec.opps[at].freq_khz));
      constexpr auto kWholeNs = static_cast<double>(kEpochNs);
      mw -= points[at].idle_mw * saved_ns(spec, idle * kWholeNs) / kWholeNs;
    }
    if (opp == least || mw < best_mw) {
      best = opp;
      best_mw = mw;
    }
  }
  return best;
}

int PlainLoad::saturated_opp(int cluster, const ClusterObservation& seen, const Observation& now,
                             int cap, Policy& policy) const {
  const ClusterSpec& spec = cluster_spec(cluster);
  const double top_khz = static_cast<double>(spec.opps[static_cast<std::size_t>(cap)].freq_khz);
  const double rate = seen.counters.has(Counters::kInstructions) && now.epoch_ns > 0
                          ? seen.counters.instructions / static_cast<double>(now.epoch_ns)
                          : 0;
  const double stalled = stall_share_of(seen);
  const double clock = static_cast<double>(seen.freq_khz) / top_khz;
  // The same work at the top waits as long and computes quicker.
  const double stalled_at_top = stalled / (stalled + (1 - stalled) * clock);
  if (seen.opp >= cap) {
    policy.top_rate = rate;
  } else if (rate > 0 && rate < (1 - kLoss) * policy.top_rate) {
    policy.distrust_until_ns = now.now_ns + kDistrustNs;
  }
  if (!(stalled_at_top >= kMemoryBound) || policy.top_rate <= 0 ||
      now.now_ns < policy.distrust_until_ns) {
    return cap;
  }
  const double computing = 1 - stalled_at_top;
  return lowest_at_least(spec, top_khz * computing / (computing + kPlannedLoss), cap);
}

/// For a core that is busy throughout: -1 when that is not as usual.
int PlainLoad::burst_opp(int cluster, const Observation& now, int cap, const Policy& policy) const {
  const double left = policy.longest_burst - policy.burst;
  const auto epoch_ns = static_cast<double>(now.epoch_ns);
  const auto khz = static_cast<double>(now.cluster[static_cast<std::size_t>(cluster)].freq_khz);
  if (left <= 0 || left > kUsualRest * khz * epoch_ns) return -1;
  return lowest_at_least(cluster_spec(cluster), kUsualHaste * left / epoch_ns, cap);
}

/// What two epochs want together, of which neither may tell much alone: pieces of work end where they like.
void PlainLoad::expect(Policy& policy, double util, double khz, double top_khz, double epoch_ns) {
  const bool crowded = util >= kSaturated && policy.util_before + util >= kCrowded;
  // What computes at the highest clock is given that anyway, and tells nothing of what comes after.
  if (crowded && khz >= top_khz) return;
  const double wanted_khz = (crowded ? kMoreWanted : util) * khz;
  policy.recent_khz += kRecentWeight * (wanted_khz - policy.recent_khz);
  if (policy.recent_khz > policy.expected_khz) {
    policy.expected_khz = policy.recent_khz;
  } else {
    policy.expected_khz +=
        (policy.recent_khz - policy.expected_khz) * -std::expm1(-epoch_ns / kPeakHalvesNs * M_LN2);
  }
}

int PlainLoad::next_opp(int cluster, const Observation& now, int cap) {
  const ClusterSpec& spec = cluster_spec(cluster);
  const ClusterObservation& seen = now.cluster[static_cast<std::size_t>(cluster)];
  Policy& policy = policy_[static_cast<std::size_t>(cluster)];
  if (now.epoch_ns <= 0) return std::min<int>(seen.opp, cap);
  cap = cool_cap(cluster, now, cap, policy);
  const double util = seen.util_max, before = policy.util_before;
  const double khz = static_cast<double>(seen.freq_khz);

  const double wanted_khz = util * khz;
  const double fresh = -std::expm1(-static_cast<double>(now.epoch_ns) / kAveragingNs);
  if (policy.measuring && util < kSaturated) {
    policy.demand_khz = wanted_khz;  // at the top it is what is wanted
    policy.measuring = false;
  } else {
    policy.demand_khz += fresh * (wanted_khz - policy.demand_khz);
  }

  const double expected_before_khz = policy.expected_khz;
  const auto top_khz = static_cast<double>(spec.opps[static_cast<std::size_t>(cap)].freq_khz);
  expect(policy, util, khz, top_khz, static_cast<double>(now.epoch_ns));

  policy.burst += wanted_khz * static_cast<double>(now.epoch_ns);
  if (util < kSaturated) {
    policy.longest_burst =
        std::max(policy.burst, policy.longest_burst *
                                   std::exp2(-static_cast<double>(now.epoch_ns) / kBurstHalvesNs));
    policy.burst = wanted_khz * static_cast<double>(now.epoch_ns);  // the next may have begun
  }

  policy.util_before = util;

  const bool was_idle = policy.idle_epochs >= kIdleEpochs;
  if (was_idle && util >= kOnset && wanted_khz > kAsExpected * expected_before_khz) {
    policy.idle_epochs = 0;
    policy.measuring = true;
    return cap;
  }
  // A little of a load that sets in at the end of an epoch does not end idleness.
  if (util < kNothing) {
    ++policy.idle_epochs;
  } else if (util >= kOnset || before >= kNothing) {
    policy.idle_epochs = 0;
  }

  int usual = 0;
  if (util >= kSaturated && before + util >= 1.6) {
    const int saturated = saturated_opp(cluster, seen, now, cap, policy);
    usual = burst_opp(cluster, now, cap, policy);
    if (usual < 0 || usual >= saturated) return saturated;
  }
  // The busy share that is expected is the average's; one epoch's may be a tick that came late.
  const double target = kTarget + 0.2 * (now.energy_preference - 0.5);
  const double stalled = stall_share_of(seen);
  const double busy = khz > 0 ? std::max(policy.demand_khz, policy.expected_khz) / khz : 0;
  const double left = target - busy * stalled;
  const double need_khz = left > 0.05 ? busy * (1 - stalled) * khz / left
                                      : static_cast<double>(spec.opps.back().freq_khz);
  const int least = std::max(usual, lowest_at_least(spec, need_khz, cap));
  const double cores = spec.cores * (util > 0 ? seen.util_mean / util : 0);
  return cheapest(cluster, least, cap, policy.demand_khz * cores, policy.demand_khz);
}

}  // namespace flyball
