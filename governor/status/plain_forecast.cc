#include "governor/status/plain_forecast.h"

#include <algorithm>
#include <cmath>

#include "env/model/model.h"

namespace flyball {
namespace {

double stall_share_of(const ClusterObservation& seen) {
  const double share = seen.counters.stall_share();
  return std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0;
}

}  // namespace

double PlainForecaster::power_mw(int cluster, int opp, double busy_cores,
                                 double temp_c) const noexcept {
  const auto c = static_cast<std::size_t>(cluster);
  const ClusterLoad load{.opp = opp,
                         .busy_cores = busy_cores,
                         .busy_nf = busy_cores * platform_.apps[0].unit[c].core_nf,
                         .gate_idle_cores = platform_.clusters[c].gate_idle_cores,
                         .temp_c = temp_c};
  return cluster_power_mw(platform_.clusters[c], load);
}

PlainForecast PlainForecaster::at(int cluster, const ClusterObservation& seen,
                                  int opp) const noexcept {
  const ClusterSpec& spec = platform_.clusters[static_cast<std::size_t>(cluster)];
  const double stalled = stall_share_of(seen);
  const auto khz = static_cast<double>(spec.opps[static_cast<std::size_t>(opp)].freq_khz);
  const double slower =
      seen.freq_khz > 0 ? (1 - stalled) * static_cast<double>(seen.freq_khz) / khz + stalled : 1;
  const double cores = std::min(1.0, seen.util_mean * slower) * spec.cores;
  return {seen.util_max * slower, power_mw(cluster, opp, cores, seen.temp_c)};
}

int PlainForecaster::next_best(int cluster, const ClusterObservation& seen,
                               int chosen) const noexcept {
  const ClusterSpec& spec = platform_.clusters[static_cast<std::size_t>(cluster)];
  const int cap = std::min<int>(seen.opp_cap, spec.max_opp());
  int best = chosen, highest = chosen;
  double best_mw = 0;
  for (int opp = 0; opp <= cap; ++opp) {
    if (opp == chosen) continue;
    highest = opp;
    const PlainForecast forecast = at(cluster, seen, opp);
    if (forecast.busiest > kRoomy || (best != chosen && forecast.mw >= best_mw)) continue;
    best = opp;
    best_mw = forecast.mw;
  }
  return best != chosen ? best : highest;
}

double PlainForecaster::modelled_mw(int cluster, const ClusterObservation& seen) const noexcept {
  const ClusterSpec& spec = platform_.clusters[static_cast<std::size_t>(cluster)];
  return power_mw(cluster, std::min<int>(seen.opp, spec.max_opp()), seen.util_mean * spec.cores,
                  seen.temp_c);
}

}  // namespace flyball
