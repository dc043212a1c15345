#pragma once

#include <cstdint>
#include <vector>

#include "env/linux/discover/sys_tree.h"
#include "env/linux/sense/held_file.h"
#include "kernels/base/cpu_set.h"

namespace flyball {

/// How busy each CPU was, by /proc/stat: one read for all of them, which wakes none. Linux prints
/// ticks of 10 ms; idle time, which it keeps in microseconds, is exact but for the tick that is not
/// full, so busy time is what is left of the time that passed. A CPU whose busy counters did not move
/// was idle, whatever is left.
class CpuUsage {
 public:
  CpuUsage(const SysTree& tree, const CpuSet& cpus, SettingCalls& calls);

  /// What happened since the reading before; false, and that goes on, when it failed.
  bool read(std::int64_t now_ns) noexcept;
  /// 0 to 1; 0 of one that is offline, and before the second reading.
  double busy_share(int cpu) const { return share_[static_cast<std::size_t>(cpu)]; }
  /// Had no busy time, so that nothing of it is worth waking it for.
  const CpuSet& idle() const { return idle_; }

 private:
  struct Ticks {
    std::int64_t busy = -1, idle = 0, stolen = 0;  ///< busy < 0: not seen
  };
  bool parse(std::string_view text) noexcept;

  HeldFile file_;
  std::int64_t tick_ns_;
  std::int64_t read_ns_ = 0;
  bool begun_ = false;
  std::vector<char> buffer_;
  std::vector<Ticks> now_, before_;
  std::vector<double> share_;
  CpuSet idle_;
};

}  // namespace flyball
