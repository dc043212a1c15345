#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "env/linux/discover/sys_tree.h"
#include "kernels/base/cpu_set.h"

namespace flyball {

/// Finds the threads that Linux schedules in real time or by deadlines, and says where they ran of
/// late: schedutil gives those all that they may want at once, and a governor in its place owes them
/// as much. Only programs' own: the Linux kernel's run for moments.
///
/// There is no list of them, so all threads are looked through: at the beginning, and then eight a
/// second (some 30 us each in a virtual machine, 0.02 % of a core), so that a thread that becomes one
/// later is found within a minute or so. Of those that are known, a few are asked per look how long they
/// have run. Allocates nothing after construction.
class RealtimeWatch {
 public:
  static constexpr int kThreadsPerLook = 2;
  static constexpr std::int64_t kSearchNs = 250'000'000;  // between two looks for others
  static constexpr int kAskedPerLook = 4;
  static constexpr int kMostKnown = 64;
  static constexpr int kAll = 1024;
  static constexpr std::int64_t kHoldNs = 1'000'000'000;  // after it was seen running

  explicit RealtimeWatch(const SysTree& tree);
  ~RealtimeWatch();
  RealtimeWatch(const RealtimeWatch&) = delete;
  RealtimeWatch& operator=(const RealtimeWatch&) = delete;

  /// Once per epoch.
  void look(std::int64_t now_ns) noexcept;
  /// The utilisation, of 1024, that schedutil reckons with on these CPUs for those that ran there
  /// within kHoldNs: for real-time threads all, or what sched_util_clamp_min_rt_default says; for
  /// deadlines all, since their bandwidth is not to be seen. 0: none ran.
  int owed_on(const CpuSet& cpus) const noexcept;
  int known() const { return known_count_; }

 private:
  struct Known {
    int tid = 0;
    int run_fd = -1, stat_fd = -1;
    std::int64_t ran = -1;     ///< ns by schedstat; negative: not asked yet
    std::int64_t seen_ns = 0;  ///< running; 0: never
    int cpu = 0;
    bool deadline = false;
  };
  /// The entries of a folder that are numbers, one at a time.
  struct Listing {
    int fd = -1;
    long bytes = 0, at = 0;
    alignas(8) char buffer[2048];
  };
  struct Stat {
    bool kernel = false, running = false, realtime = false, deadline = false;
    int cpu = 0;
  };

  bool next(Listing& listing, int& number) noexcept;
  static void close_listing(Listing& listing) noexcept;
  bool open_listing(Listing& listing, const char* path) noexcept;
  /// One thread more; false at the end of all processes, after which it begins anew.
  bool search_one() noexcept;
  static bool read_stat(int fd, Stat& stat) noexcept;
  void learn(int tid, const Stat& stat, int stat_fd) noexcept;
  void ask(Known& known, std::int64_t now_ns) noexcept;
  void forget(int index) noexcept;

  std::string root_;
  int clamp_min_ = kAll;
  Listing processes_, threads_;
  int pid_ = 0;
  std::array<Known, kMostKnown> known_;
  int known_count_ = 0, next_asked_ = 0;
  std::int64_t now_ns_ = 0, searched_ns_ = 0;
};

}  // namespace flyball
