#include "kernels/pool/pacer.h"

#include <algorithm>

#include "kernels/pool/spin.h"

namespace flyball {
namespace {

constexpr double kMaxCreditNs = 1e6;
// Below this a sleep is not worth it: the default timer slack alone is 50 us.
constexpr double kShortestSleepNs = 150'000;
constexpr double kSpinTailNs = 60'000;

constexpr double kQuantumNs = 30'000;
// A time slice of Linux is 0.7 ms and more: what took less than this was not preempted for long.
constexpr double kSureNs = 60'000;
constexpr double kCarryNs = 1e6;

/// The cheapest of a few reads: what is dearer was interrupted.
double cpu_clock_cost_ns() {
  constexpr int kBatch = 16;
  std::int64_t best = 1'000'000'000;
  for (int batch = 0; batch < 8; ++batch) {
    const std::int64_t from = monotonic_ns();
    for (int i = 0; i < kBatch; ++i) thread_cpu_ns();
    best = std::min(best, monotonic_ns() - from);
  }
  return static_cast<double>(best) / kBatch;
}

}  // namespace

Pacer::Pacer() : look_up_cost_ns_(cpu_clock_cost_ns()) {}

/// As lap(), from the thread's own clock.
double Pacer::look_up(double elapsed) {
  const auto now = static_cast<double>(thread_cpu_ns());
  const double spent =
      std::clamp(now - cpu_at_mark_ns_ - look_up_cost_ns_ / 2, 0.0, std::max(elapsed, 0.0));
  cpu_at_mark_ns_ = now + look_up_cost_ns_ / 2;
  carried_ns_ = 0;
  mark_ns_ = monotonic_ns();
  debt_ns_ -= look_up_cost_ns_;  // it delays the worker like any payment
  return spent;
}

/// The CPU time of the thread since the last call.
double Pacer::lap() {
  const std::int64_t now = monotonic_ns();
  const auto elapsed = static_cast<double>(now - mark_ns_);
  if (elapsed > kSureNs || carried_ns_ > kCarryNs) return look_up(elapsed);
  mark_ns_ = now;
  cpu_at_mark_ns_ += elapsed;
  carried_ns_ += elapsed;
  return elapsed;
}

void Pacer::start() {
  items_ = 0;
  lap();
}

void Pacer::settle(const PaceControl& control, bool share_ends) {
  const double work = lap();
  const double ratio = control.ratio.load(std::memory_order_relaxed);
  debt_ns_ += work / ratio - work;
  // Grows slowly, in case longer items follow.
  const double items = kQuantumNs / std::max(work, 1.0) * items_;
  items_per_quantum_ =
      static_cast<int>(std::clamp(items, 1.0, 2.0 * static_cast<double>(items_per_quantum_)));
  items_ = 0;
  if (control.mode.load(std::memory_order_relaxed) == PaceMode::kOccupy) {
    if (debt_ns_ > 0) occupy();
  } else if (debt_ns_ >= kShortestSleepNs || (share_ends && debt_ns_ > 0)) {
    yield();
  }
  debt_ns_ = std::max(debt_ns_, -kMaxCreditNs);
  if (ratio == 1.0) {
    paced_ = false;
    debt_ns_ = 0;
  }
}

void Pacer::occupy() {
  // Undisturbed, elapsed time is CPU time; after a preemption the rest is waited for again.
  while (debt_ns_ > 0) {
    const std::int64_t until = mark_ns_ + static_cast<std::int64_t>(debt_ns_);
    while (monotonic_ns() < until) cpu_relax();
    debt_ns_ -= lap();
  }
}

void Pacer::yield() {
  const std::int64_t from = mark_ns_;
  const std::int64_t until = from + static_cast<std::int64_t>(debt_ns_);
  if (debt_ns_ >= kShortestSleepNs) {
    const std::int64_t wake = until - static_cast<std::int64_t>(kSpinTailNs);
    const timespec at{.tv_sec = static_cast<time_t>(wake / 1'000'000'000),
                      .tv_nsec = static_cast<long>(wake % 1'000'000'000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
  }
  while (monotonic_ns() < until) cpu_relax();
  debt_ns_ -= static_cast<double>(monotonic_ns() - from);
  lap();
}

}  // namespace flyball
