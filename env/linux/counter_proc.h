#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "env/linux/counter_source.h"
#include "env/linux/perf_syscalls.h"

namespace flyball {

/// CPU time and context switches of threads by /proc/TID/task/TID/schedstat, and where Linux was
/// built without it, context switches alone by .../status. Summed over the threads; one that has
/// ended counts no more.
///
/// Preferred to the software events of perf: to read the event of a thread that runs interrupts the
/// CPU that it runs on, which then answers late (median 2.4 us, 55 us for one in ten, where
/// schedstat takes 3.3 and 4.1 for both figures; a virtual machine of two busy CPUs, Linux 6.18).
class ProcCounters {
 public:
  static constexpr int kPatience = 8;

  ProcCounters(PerfSyscalls& calls, const std::string& root, const std::vector<int>& tids);
  ~ProcCounters();
  ProcCounters(const ProcCounters&) = delete;
  ProcCounters& operator=(const ProcCounters&) = delete;

  /// Sets its fields to what happened since the last reading that was accepted; false when one
  /// thread could not be read. After kPatience failures in a row it has no fields any more.
  bool read(CounterSample& out) noexcept;
  void accept() noexcept {
    for (Thread& thread : threads_) thread.last = thread.now;
  }
  std::uint8_t fields() const { return fields_; }
  bool all_ended() const { return opened_ && threads_.empty(); }
  const char* file() const { return schedstat_ ? "schedstat" : "status"; }

 private:
  struct Counts {
    std::uint64_t cpu_time_ns = 0, switches = 0;
  };
  struct Thread {
    int fd = -1;
    Counts now, last;
  };
  enum class Outcome { kGood, kEnded, kFailed };
  bool open_all(const std::string& root, const std::vector<int>& tids, const char* file);
  Outcome fetch(Thread& thread) noexcept;
  void close_all() noexcept;

  PerfSyscalls& calls_;
  std::vector<Thread> threads_;
  std::uint8_t fields_ = 0;
  bool opened_ = false;
  bool schedstat_ = true;
  bool ran_ = false;  ///< without its accounting Linux writes zeros
  int failures_ = 0;
};

}  // namespace flyball
