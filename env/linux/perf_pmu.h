#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "env/linux/counter_source.h"
#include "kernels/base/cpu_set.h"

namespace flyball {

/// The performance monitoring unit of one type of core.
struct PerfPmu {
  enum class Kind : std::uint8_t {
    kGeneric,  ///< Linux's own event names, caches meaning the last level
    kAmd,      ///< the same, caches meaning L2
    kArm,      ///< architectural event numbers: there the generic cache events are L1 data
  };
  std::string name;
  Kind kind = Kind::kGeneric;
  std::uint32_t type = 0;  ///< perf_event_attr::type; 0 where there is one kind of core only
  CpuSet cpus;             ///< empty: all
  bool covers(int cpu) const { return cpus.empty() || cpus.contains(cpu); }
};

/// perf_event_attr::type and ::config of an event.
struct PerfEncoding {
  std::uint32_t type = 0;
  std::uint64_t config = 0;
};

/// The units of this machine's cores, by `root`/bus/event_source/devices/*/cpus; a single generic
/// one where no file says otherwise. At most kMaxPmus; whatever is malformed is passed over.
inline constexpr int kMaxPmus = 8;
std::vector<PerfPmu> find_perf_pmus(const std::string& sysfs_root);

/// Hardware events only; nothing where the unit has no such event.
std::optional<PerfEncoding> perf_encoding(const PerfPmu& pmu, CounterField field);
const char* perf_cache_level(const PerfPmu& pmu);

}  // namespace flyball
