#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "env/linux/actuate/policy_actuator.h"
#include "kernels/base/doorbell.h"

namespace flyball {

/// What a hand has done, as of now.
struct HandReport {
  std::int64_t in_force_khz = 0;  ///< the lowest of its policies that is known; 0: none is
  int error = 0;                  ///< errno of the first of them that has one
  bool busy = false;              ///< a write is under way
  std::int64_t busy_ns = 0;       ///< for so long
  int stood_down = 0;             ///< policies that another program has taken
  std::uint64_t writes = 0, refused = 0, rounded = 0, ignored = 0;
};

/// The thread that turns the clocks of one cluster, because a write can take the driver seconds: the
/// epoch never waits for one, and no cluster for another. The last clock asked for wins. A policy
/// that refuses is asked again a second later, and does not keep the others from theirs.
class ClockHand {
 public:
  static constexpr std::int64_t kRetryNs = 1'000'000'000;

  explicit ClockHand(std::vector<PolicyActuator> policies);
  /// Gives everything back; waits for the write that is under way.
  ~ClockHand();
  ClockHand(const ClockHand&) = delete;
  ClockHand& operator=(const ClockHand&) = delete;

  /// By one thread, the epoch's; neither waits nor allocates.
  void ask(std::int64_t khz) noexcept { post(khz); }
  /// The next ask() is carried out although it is what was asked before: a driver was loaded anew.
  void forget() noexcept {
    posted_ = kNothing;
    forgets_.store(true, std::memory_order_release);
  }
  /// Linux governs until the next ask().
  void hand_over() noexcept { post(kHandOver); }
  /// Another program has taken this policy, as its name is; by the epoch's thread, too.
  void stand_down(std::string_view policy) noexcept;
  HandReport report() const noexcept;
  const std::vector<PolicyActuator>& policies() const { return policies_; }  ///< while it is idle

 private:
  static constexpr std::int64_t kNothing = -1, kHandOver = 0, kEnd = -2;
  void post(std::int64_t wanted) noexcept;
  void body() noexcept;
  void turn(std::int64_t khz) noexcept;
  void publish() noexcept;

  std::vector<PolicyActuator> policies_;
  std::vector<std::int64_t> retry_ns_;
  Doorbell bell_;
  std::unique_ptr<std::atomic<bool>[]> leaves_;  ///< per policy: to stand down from
  std::atomic<bool> forgets_{false};
  std::atomic<std::int64_t> wanted_{kNothing};
  std::int64_t posted_ = kNothing, posted_ns_ = 0;  ///< the epoch's thread's
  std::atomic<std::int64_t> busy_since_ns_{0};      ///< 0: idle
  std::atomic<std::uint64_t> asked_{0}, done_{0};
  std::atomic<std::int64_t> in_force_khz_{0};
  std::atomic<int> error_{0}, stood_down_{0};
  std::atomic<std::uint64_t> writes_{0}, refused_{0}, rounded_{0}, ignored_{0};
  std::thread thread_;
};

}  // namespace flyball
