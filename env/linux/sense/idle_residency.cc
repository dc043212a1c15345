#include "env/linux/sense/idle_residency.h"

#include <algorithm>

namespace flyball {

IdleResidency::IdleResidency(const SysTree& tree, const std::vector<CpuSet>& clusters,
                             SettingCalls& calls)
    : clusters_(clusters.size()) {
  for (std::size_t c = 0; c < clusters.size(); ++c) {
    Cluster& cluster = clusters_[c];
    for (int i = 0; i < clusters[c].count(); ++i) {
      const std::string folder =
          "/sys/devices/system/cpu/cpu" + std::to_string(clusters[c].nth(i)) + "/cpuidle";
      for (const std::string& entry : tree.entries(folder, "state")) {
        const std::string at = folder + "/" + entry;
        const auto name = tree.line(at + "/name");
        if (!name || !tree.number(at + "/time")) continue;
        const auto known = std::find(cluster.states.begin(), cluster.states.end(), *name);
        const auto state = static_cast<std::size_t>(known - cluster.states.begin());
        if (known == cluster.states.end()) {
          if (state == kMaxStates) continue;
          cluster.states.push_back(*name);
        }
        files_.push_back({HeldFile(calls, tree.path(at + "/time")), c, state});
      }
    }
    cluster.share.assign(cluster.states.size(), kUnknown);
    cluster.in_it_ns.assign(cluster.states.size(), 0);
    cluster.of_ns.assign(cluster.states.size(), 0);
  }
}

void IdleResidency::read(Counted& each, std::int64_t now_ns) noexcept {
  double us = 0;
  if (!each.file.read_number(us)) {
    each.at_ns = -1;  // its CPU is gone, and counts anew when it returns
    return;
  }
  if (each.at_ns >= 0 && us >= each.us) {
    Cluster& cluster = clusters_[each.cluster];
    const auto elapsed_ns = static_cast<double>(now_ns - each.at_ns);
    cluster.in_it_ns[each.state] += std::min(elapsed_ns, 1e3 * (us - each.us));
    cluster.of_ns[each.state] += elapsed_ns;
  }
  each.us = us;
  each.at_ns = now_ns;
}

void IdleResidency::end_sweep() noexcept {
  for (Cluster& cluster : clusters_) {
    for (std::size_t state = 0; state < cluster.states.size(); ++state) {
      double& of_ns = cluster.of_ns[state];
      cluster.share[state] = of_ns > 0 ? cluster.in_it_ns[state] / of_ns : kUnknown;
      cluster.in_it_ns[state] = of_ns = 0;
    }
  }
}

void IdleResidency::look(std::int64_t now_ns) noexcept {
  if (files_.empty()) return;
  if (next_ == 0) {
    if (begun_ && now_ns - swept_ns_ < kWindowNs) return;
    begun_ = true;
    swept_ns_ = now_ns;
  }
  const std::size_t end = std::min(files_.size(), next_ + kFilesPerLook);
  for (; next_ < end; ++next_) read(files_[next_], now_ns);
  if (next_ < files_.size()) return;
  next_ = 0;
  end_sweep();
}

}  // namespace flyball
