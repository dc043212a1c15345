#include "agents/mrpi.h"

#include <algorithm>
#include <cmath>

namespace flyball {

Mrpi::Mrpi(const AgentContext& context)
    : platform_(context.belief.mean),
      apps_(context.belief),
      placement_(Placement::Kind::kIdleSibling, context.belief.mean) {
  misses_.fill(-1);
}

void Mrpi::bind(int slot, const Binding& binding, const Observation& now) {
  auto& place = apps_.bind(slot, binding, now);
  place.own.emplace(true);
  placement_.bind(slot, *place.profile, binding.threads);
}

void Mrpi::unbind(int slot) {
  placement_.unbind(slot);
  apps_.unbind(slot);
}

void Mrpi::begin_run() {
  while (apps_.count() > 0) unbind(apps_.count() - 1);
  misses_.fill(-1);
}

double Mrpi::threshold(double khz, double highest_khz, double ipc, double miss_ns) {
  // Time of an instruction: 1 / (ipc * f) + misses * miss_ns. It is (1 + kSlowdown) times the one at
  // the highest frequency where the misses are these.
  const double slow_ns = 1e6 / (ipc * khz), fast_ns = 1e6 / (ipc * highest_khz);
  return std::max(0.0, (slow_ns - (1 + kSlowdown) * fast_ns) / (kSlowdown * miss_ns));
}

void Mrpi::decide(const Observation& now, Decision& out) noexcept {
  out.fresh = true;
  placement_.observe(now);
  placement_.place(now, out.action);
  for (int c = 0; c < now.cluster_count; ++c) {
    const auto cluster = static_cast<std::size_t>(c);
    const ClusterSpec& spec = platform_.clusters[cluster];
    // Of the loads that the belief knows there, the one that waits least: no load loses more.
    double ipc = 0, miss_ns = 0;
    for (const AppProfile& app : platform_.apps) {
      const UnitProfile& unit = app.unit[cluster];
      if (!unit.supported || (ipc > 0 && unit.ipc * unit.miss_ns >= ipc * miss_ns)) continue;
      ipc = unit.ipc;
      miss_ns = unit.miss_ns;
    }
    bool busy = now.cluster[cluster].util_max > 0;
    for (int a = 0; a < apps_.count(); ++a)
      busy |= apps_.bound(a) && now.app[a].backlog > 0 &&
              platform_.mappings[out.action.app[a].mapping].cores[cluster] > 0;
    int opp = busy ? spec.max_opp() : 0;
    if (misses_[cluster] >= 0 && ipc > 0) {
      const auto highest = static_cast<double>(spec.opps.back().freq_khz);
      while (opp > 0 && misses_[cluster] >=
                            threshold(static_cast<double>(
                                          spec.opps[static_cast<std::size_t>(opp - 1)].freq_khz),
                                      highest, ipc, miss_ns))
        --opp;
    }
    out.action.opp[cluster] =
        std::min(static_cast<std::uint8_t>(opp), now.cluster[cluster].opp_cap);
    if (busy)
      out.reason = {Reason::Code::kUtil,
                    static_cast<std::uint8_t>(c),
                    {static_cast<float>(100 * now.cluster[cluster].util_max)}};
  }
}

void Mrpi::learn(const Observation& outcome, const Action&, const Reward&) noexcept {
  for (int c = 0; c < outcome.cluster_count; ++c) {
    const double misses = outcome.cluster[c].counters.misses_per_kilo_instruction() / 1000;
    if (!std::isfinite(misses)) continue;  // not counted, or nothing ran
    double& average = misses_[static_cast<std::size_t>(c)];
    average = average < 0 ? misses : kEwma * misses + (1 - kEwma) * average;
  }
}

}  // namespace flyball
