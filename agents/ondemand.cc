#include "agents/ondemand.h"

#include <algorithm>

#include "agents/opp_search.h"

namespace flyball {

int load_pct(double busy_share) {
  // The tolerance keeps 0.29, which is a little less in binary, at 29.
  return std::clamp(static_cast<int>(100 * busy_share + 1e-6), 0, 100);
}

int Ondemand::opp_for_load(const ClusterSpec& cluster, int load, int cap) {
  cap = std::min(cap, cluster.max_opp());
  if (load > 95) return cap;
  const double min_khz = static_cast<double>(cluster.opps.front().freq_khz);
  const double max_khz = static_cast<double>(cluster.opps.back().freq_khz);
  return closest(cluster, min_khz + load * (max_khz - min_khz) / 100, cap);
}

int Ondemand::next_opp(int cluster, const Observation& now, int cap) {
  if (now.epoch_ns <= 0) return now.cluster[cluster].opp;
  return opp_for_load(cluster_spec(cluster), load_pct(now.cluster[cluster].util_max), cap);
}

}  // namespace flyball
