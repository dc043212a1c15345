#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "env/linux/discover/sys_tree.h"
#include "kernels/base/cpu_set.h"

namespace flyball {

/// Finds the threads that Linux schedules in real time or by deadlines, and says where they ran of
/// late: schedutil gives those all that they may want at once, and a governor in its place owes them
/// as much.
///
/// There is no list of them, so every thread is asked for its policy once a second, a system call of
/// some 0.1 us each: those that were there at the beginning, those that Linux has numbered since (its
/// last number stands in /proc/loadavg), and whoever else a slow search of /proc finds. Of those that are known
/// to be in real time, a few are asked per look how long they have run. Allocates nothing after
/// construction.
///
/// The Linux kernel's own (interrupts, migration, timers) run for moments all the time, and schedutil
/// gives them what they may want in those moments. They count while they keep a core busy for kBusyShare
/// of the time or more; what turns clocks for schedutil itself does not count there either.
class RealtimeWatch {
 public:
  static constexpr std::int64_t kRoundNs = 1'000'000'000;  ///< within which all are asked
  static constexpr int kMostAskedPerLook = 1024;
  static constexpr int kMostNewPerLook = 256;
  static constexpr int kMostThreads = 1 << 15;
  static constexpr std::int64_t kSearchNs = 250'000'000;  ///< between two looks into /proc
  static constexpr int kSearchedPerLook = 8;
  static constexpr int kMostKnown = 256;
  static constexpr int kAll = 1024;
  static constexpr std::int64_t kHoldNs = 1'000'000'000;  ///< after it was seen running
  static constexpr double kBusyShare = 0.05;

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
  /// Programs' own.
  int known() const noexcept;
  /// Programs' threads in real time were found for which there was no room, so that they are not reckoned
  /// with: more than kMostKnown, or there are more than kMostThreads threads in all.
  bool is_full() const { return full_; }
  /// Of whatever policy.
  int threads() const { return static_cast<int>(threads_.size()); }

 private:
  struct Thread {
    int pid, tid;  ///< of /proc/PID/task/TID; the same where only the number is known
  };
  struct Known {
    int tid = 0, pid = 0;
    int run_fd = -1;
    std::int64_t ran = -1;  ///< ns by schedstat; negative: not asked yet
    std::int64_t asked_ns = 0;
    std::int64_t seen_ns = 0;  ///< running; 0: never
    int cpu = 0;
    bool deadline = false, kernel = false;
  };
  /// The entries of a folder that are numbers, one at a time.
  struct Listing {
    int fd = -1;
    long bytes = 0, at = 0;
    alignas(8) char buffer[2048];
  };
  struct Stat {
    bool kernel = false, running = false, realtime = false, deadline = false, governs = false;
    int cpu = 0;
  };
  enum class Policy : std::uint8_t { kGone, kOther, kRealtime };

  bool next(Listing& listing, int& number) noexcept;
  static void close_listing(Listing& listing) noexcept;
  bool open_listing(Listing& listing, const char* path) noexcept;
  /// One thread more; false at the end of all processes, after which it begins anew.
  bool search_one() noexcept;
  bool read_stat(int pid, int tid, Stat& stat) const noexcept;
  Policy policy_of(const Thread& thread) const noexcept;
  void meet(const Thread& thread) noexcept;
  /// The last number that Linux gave to a thread; 0: not known.
  int last_number() noexcept;
  void meet_new() noexcept;
  void ask_policies(std::int64_t span_ns) noexcept;
  bool is_known(int tid) const noexcept;
  void learn(const Thread& thread) noexcept;
  void ask(Known& known, std::int64_t now_ns) noexcept;
  void forget(int index) noexcept;

  std::string root_;
  int clamp_min_ = kAll;
  Listing processes_, of_process_;
  int pid_ = 0;
  std::vector<Thread> threads_;
  std::vector<bool> listed_;  ///< by number: numbers come again when they have all been used
  std::size_t next_thread_ = 0;
  int numbers_fd_ = -1, last_number_ = 0, most_number_ = 1 << 22;
  double due_ = 0;  ///< threads to be asked
  std::array<Known, kMostKnown> known_;
  int known_count_ = 0, next_asked_ = 0;
  bool full_ = false, searching_ = false;
  std::int64_t now_ns_ = 0, searched_ns_ = 0;
};

}  // namespace flyball
