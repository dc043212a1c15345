#pragma once

#include <string>
#include <utility>
#include <vector>

#include "env/linux/counter_proc.h"
#include "env/linux/counter_source.h"
#include "env/linux/perf_events.h"

namespace flyball {

/// What a PerfCounterSource asks; tests replace it.
struct PerfMachine {
  PerfSyscalls& calls = linux_perf_syscalls();
  std::string sysfs_root = "/sys";
  std::string proc_root = "/proc";
};

/// The counters of this machine, of a set of threads or of CPUs, with whatever it offers: hardware
/// events, software events, /proc. Descriptors are held. Everything is optional; describe() says
/// what is absent.
class PerfCounterSource final : public CounterSource {
 public:
  /// Threads of any process, by their Linux ids.
  static PerfCounterSource of_threads(const std::vector<int>& tids, PerfMachine machine = {}) {
    return PerfCounterSource(tids, {}, std::move(machine));
  }
  /// All that runs on these CPUs; needs CAP_PERFMON. A CPU that goes offline stays silent after its
  /// return: make a new source then.
  static PerfCounterSource of_cpus(const CpuSet& cpus, PerfMachine machine = {}) {
    return PerfCounterSource({}, cpus, std::move(machine));
  }

  bool read(CounterSample& out) noexcept override;
  const CounterTally& tally() const noexcept override { return tally_; }
  std::string describe() const override;
  std::uint8_t measured() const { return events_.fields() | proc_.fields(); }
  /// CPUs that /proc/stat says were idle since the last reading: they are not read, because reading
  /// another CPU's event interrupts it.
  void skip_cpus(const CpuSet& idle) noexcept { events_.skip_cpus(idle); }

 private:
  PerfCounterSource(const std::vector<int>& tids, const CpuSet& cpus, PerfMachine machine);

  PerfEvents events_;
  ProcCounters proc_;
  std::uint8_t from_proc_ = 0;  ///< what /proc was measuring before the last reading
  CounterHold hold_;
  CounterTally tally_;
};

}  // namespace flyball
