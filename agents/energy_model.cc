#include "agents/energy_model.h"

#include <algorithm>

#include "agents/opp_search.h"

namespace flyball {

EnergyModel::EnergyModel(const PlatformSpec& platform) : platform_(platform) {
  for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
    coefficient_[c] = platform.clusters[c].dynamic_power_coefficient;
    if (coefficient_[c] > 0) continue;
    double sum_nf = 0;
    int count = 0;
    for (const AppProfile& app : platform.apps) {
      if (!app.unit[c].supported) continue;
      sum_nf += app.unit[c].core_nf;
      ++count;
    }
    if (count > 0) coefficient_[c] = 1000 * sum_nf / count;
  }
}

double EnergyModel::energy(int cluster, double max_util, double sum_util, double capacity) const {
  const ClusterSpec& spec = platform_.clusters[static_cast<std::size_t>(cluster)];
  const double max_khz = static_cast<double>(spec.opps.back().freq_khz);
  // map_util_perf(), then the lowest point that suffices.
  const double wanted_khz = std::min(1.25 * max_util, capacity) / capacity * max_khz;
  const int opp = lowest_at_least(spec, wanted_khz, spec.max_opp());
  const double volts = spec.opps[static_cast<std::size_t>(opp)].voltage_mv / 1000;
  // power / f * f_max: what a CPU would use that did the work of f_max at this point.
  const double cost = coefficient(cluster) * volts * volts * max_khz;
  return cost * sum_util / capacity;
}

}  // namespace flyball
