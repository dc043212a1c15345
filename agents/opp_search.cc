#include "agents/opp_search.h"

#include <algorithm>

namespace flyball {

int lowest_at_least(const ClusterSpec& cluster, double khz, int cap) {
  cap = std::min(cap, cluster.max_opp());
  for (int opp = 0; opp < cap; ++opp) {
    if (static_cast<double>(cluster.opps[opp].freq_khz) >= khz) return opp;
  }
  return cap;
}

int highest_at_most(const ClusterSpec& cluster, double khz, int cap) {
  cap = std::min(cap, cluster.max_opp());
  int best = 0;
  for (int opp = 1; opp <= cap; ++opp) {
    if (static_cast<double>(cluster.opps[opp].freq_khz) <= khz) best = opp;
  }
  return best;
}

int closest(const ClusterSpec& cluster, double khz, int cap) {
  const int below = highest_at_most(cluster, khz, cap);
  const int above = lowest_at_least(cluster, khz, cap);
  const double down = khz - static_cast<double>(cluster.opps[below].freq_khz);
  const double up = static_cast<double>(cluster.opps[above].freq_khz) - khz;
  // Outside the table both searches end at the same OPP.
  return below == above || down <= up ? below : above;
}

}  // namespace flyball
