#include "governor/machine/decision_latency.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "env/spaces/action.h"
#include "kernels/base/clock.h"
#include "kernels/base/doorbell.h"
#include "kernels/base/latest.h"
#include "kernels/base/quiet_thread.h"

namespace flyball {
namespace {

constexpr int kRounds = 400;
constexpr auto kPause = std::chrono::microseconds(500);  // both threads are asleep by then
constexpr std::int64_t kWaitNs = 1'000'000'000;          // the bell rings long before

/// Two threads as those of the emulated platform: this one is the machine's.
struct Exchange {
  Doorbell machine_bell, control_bell;
  std::atomic<int> asked{0};
  Latest<Action> actions;

  void control_loop() {
    for (int round = 1; round <= kRounds; ++round) {
      for (;;) {
        const std::uint32_t seen = control_bell.mark();
        if (asked.load(std::memory_order_acquire) >= round) break;
        control_bell.wait(seen, monotonic_ns() + kWaitNs);
      }
      actions.put(Action{});
      machine_bell.ring();
    }
  }

  std::int64_t round_ns(int round) {
    const std::int64_t start_ns = monotonic_ns();
    asked.store(round, std::memory_order_release);
    control_bell.ring();
    for (;;) {
      const std::uint32_t seen = machine_bell.mark();
      if (actions.fetch() != nullptr) break;
      machine_bell.wait(seen, monotonic_ns() + kWaitNs);
    }
    return monotonic_ns() - start_ns;
  }
};

}  // namespace

double measure_decision_latency() {
  Exchange exchange;
  std::thread control = quiet_thread([&] { exchange.control_loop(); });
  std::array<std::int64_t, kRounds> rounds_ns;
  for (int round = 1; round <= kRounds; ++round) {
    std::this_thread::sleep_for(kPause);
    rounds_ns[static_cast<std::size_t>(round - 1)] = exchange.round_ns(round);
  }
  control.join();
  std::nth_element(rounds_ns.begin(), rounds_ns.begin() + kRounds / 2, rounds_ns.end());
  return static_cast<double>(rounds_ns[kRounds / 2]) / 1000;
}

}  // namespace flyball
