#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "env/linux/actuate/clamp_calls.h"
#include "env/linux/actuate/clock_hand.h"
#include "env/linux/actuate/setting_calls.h"

namespace flyball {

/// Asks for the clocks of clusters by the utilisation clamps of threads: the Linux governor and its limits
/// stay as they are, and schedutil gives a CPU on which such a thread runs the clock that was wanted, and
/// others theirs. Whose threads these are was settled by whoever names them.
///
/// A thread is clamped for the clusters that its affinity allows; where these want different clocks, for
/// the one that wants more. All calls are the epoch's thread's; none of an epoch allocates.
class ClampHand {
 public:
  static constexpr std::size_t kMaxThreads = 512;
  static constexpr std::int64_t kRetryNs = 1'000'000'000;

  /// Both outlive it; `hook` may be null.
  ClampHand(ClampCalls& calls, SettingHook* hook, bool headroom);
  /// Gives everything back.
  ~ClampHand();
  ClampHand(const ClampHand&) = delete;
  ClampHand& operator=(const ClampHand&) = delete;

  /// At the start. `capacity` at `top_khz`, of 1024.
  void add_cluster(const CpuSet& cpus, std::int64_t top_khz, double capacity);

  /// All threads that are to be clamped from now on; those that are no more among them are given back.
  /// Beyond kMaxThreads they are left alone.
  void set_threads(std::span<const pid_t> threads) noexcept;
  /// The clock that a cluster is to have; from the next turn() on.
  void ask(std::size_t cluster, std::int64_t khz) noexcept { wanted_khz_[cluster] = khz; }
  /// Once an epoch, after all clusters.
  void turn(std::int64_t now_ns) noexcept;
  /// Threads are as they were found until the next turn().
  void hand_over() noexcept;

  /// Of the threads that were clamped for it: `in_force_khz` is unknown, since Linux governs.
  const HandReport& report(std::size_t cluster) const noexcept { return reports_[cluster]; }
  std::size_t threads() const noexcept { return count_; }

 private:
  struct Cluster {
    CpuSet cpus;
    std::int64_t top_khz;
    double capacity;
  };
  struct Thread {
    pid_t id = 0;
    bool ours = false;          ///< written, and not given back
    bool stays = false;         ///< still among those named
    bool left = false;          ///< somebody else has clamped it since
    std::uint32_t cluster = 0;  ///< that it was clamped for
    UtilClamps found, written;
    std::int64_t retry_ns = 0;
    int error = 0;  ///< why it is to be tried again
  };

  void turn(Thread& thread, std::int64_t now_ns) noexcept;
  int clamp(Thread& thread, std::uint32_t clamp) noexcept;
  void give_back(Thread& thread) noexcept;
  void remove(std::size_t index) noexcept;

  ClampCalls& calls_;
  SettingHook* const hook_;
  const bool headroom_;
  std::vector<Cluster> clusters_;
  std::vector<std::int64_t> wanted_khz_;
  std::vector<HandReport> reports_;
  std::vector<Thread> list_;  ///< kMaxThreads of them, of which the first `count_` are in use
  std::size_t count_ = 0;
};

}  // namespace flyball
