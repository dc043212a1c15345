#pragma once

#include <array>
#include <span>

#include "env/model/platform_spec.h"
#include "kernels/base/cpu_set.h"

namespace flyball {

/// From counts of cores per cluster to CPUs. Clusters take the available CPUs in their order, one
/// per core; where there are fewer CPUs than cores the last clusters share what there is. CPUs are
/// given to applications so that no two have one in common while there are enough.
class CpuAllocator {
 public:
  CpuAllocator(const PlatformSpec& spec, const CpuSet& available);
  /// Where it is known which CPUs a cluster has: those of them that are available, else any.
  CpuAllocator(const PlatformSpec& spec, const CpuSet& available, std::span<const CpuSet> own);

  /// Never empty.
  const CpuSet& cluster(int c) const { return cluster_[static_cast<std::size_t>(c)]; }
  /// CPUs for a mapping: in each of its clusters the first ones that are neither in `taken` nor in
  /// `kept`, then those that are only kept, then the first ones of all.
  CpuSet allocate(const Mapping& mapping, const CpuSet& taken = {}, const CpuSet& kept = {}) const;

 private:
  int clusters_;
  std::array<CpuSet, kMaxClusters> cluster_;
};

/// How long the busiest core of a cluster was busy: applications have cores of their own while there
/// are enough of them, and then it is that of the busiest application, or of the background; otherwise
/// everyone's together. Times in ns.
struct BusiestCore {
  double most_ns, sum_ns, wanted_cores;
  BusiestCore(double background_ns, double background_cores)
      : most_ns(background_ns), sum_ns(background_ns), wanted_cores(background_cores) {}
  void add(double busy_ns, double cores) {
    most_ns = most_ns > busy_ns ? most_ns : busy_ns;
    sum_ns += busy_ns;
    wanted_cores += cores;
  }
  double busy_ns(double cores) const { return wanted_cores > cores ? sum_ns : most_ns; }
};

}  // namespace flyball
