#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "env/model/platform_spec.h"

namespace flyball {

/// What jobs can run on, by the names that applications use: "cpu" for all CPU clusters, "gpu", "npu" and
/// "fpga" for all devices of a kind, and each cluster and device by its own name.
class Elements {
 public:
  Elements() = default;
  /// `kinds`: per cluster; empty: "cpu" or "gpu", as the platform has it.
  explicit Elements(const PlatformSpec& spec, const std::vector<std::string>& kinds = {});

  /// Clusters as bits; 0: there is none of that name here.
  unsigned find(std::string_view name) const;
  std::string names() const;  ///< "cpu, gpu, policy0, 57000000.gpu"
  unsigned cpu_clusters() const { return cpus_; }

  struct Where {
    unsigned clusters = 0;  ///< of a mapping, as bits
    int cores = 0;
  };
  const std::vector<Where>& mappings() const { return mappings_; }

 private:
  struct One {
    std::string name;
    unsigned clusters;
  };
  std::vector<One> known_;
  std::vector<Where> mappings_;
  unsigned cpus_ = 0;
};

}  // namespace flyball
