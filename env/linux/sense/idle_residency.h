#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "env/linux/discover/sys_tree.h"
#include "env/linux/sense/held_file.h"
#include "kernels/base/cpu_set.h"

namespace flyball {

/// Which share of the time of a cluster's CPUs each idle state took, by what cpuidle counts, in means of
/// a second or more. The Linux kernel answers from memory: no CPU is woken for it. A stay is counted when
/// it ends, so the share of a CPU that sleeps for longer than that comes late, and is cut to all of the time.
class IdleResidency {
 public:
  static constexpr int kMaxStates = 8;  ///< of a cluster; Linux has at most 10, and those are rare
  static constexpr std::int64_t kWindowNs = 1'000'000'000;
  /// About 1 us each: a machine of many CPUs is read in several looks.
  static constexpr std::size_t kFilesPerLook = 32;

  /// CPUs of each cluster; none of those has states where Linux shows none. Allocates.
  IdleResidency(const SysTree& tree, const std::vector<CpuSet>& clusters, SettingCalls& calls);

  /// Names, shallowest first.
  const std::vector<std::string>& states(std::size_t cluster) const {
    return clusters_[cluster].states;
  }
  /// Once an epoch; reads nothing before a second is over. No allocation.
  void look(std::int64_t now_ns) noexcept;
  /// 0 to 1, over all CPUs of the cluster together; NaN where it is not known.
  double share(std::size_t cluster, std::size_t state) const noexcept {
    return state < clusters_[cluster].share.size() ? clusters_[cluster].share[state] : kUnknown;
  }

 private:
  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  struct Counted {
    HeldFile file;
    std::size_t cluster, state;
    double us = 0;
    std::int64_t at_ns = -1;  ///< negative: not read yet
  };
  struct Cluster {
    std::vector<std::string> states;
    std::vector<double> share;
    std::vector<double> in_it_ns, of_ns;  ///< in the sweep that is under way
  };
  void read(Counted& each, std::int64_t now_ns) noexcept;
  void end_sweep() noexcept;

  std::vector<Cluster> clusters_;
  std::vector<Counted> files_;
  std::size_t next_ = 0;  ///< file of the sweep that is under way; 0: none is
  std::int64_t swept_ns_ = 0;
  bool begun_ = false;
};

}  // namespace flyball
