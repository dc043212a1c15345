#include "kernels/pool/pacer.h"

#include <algorithm>

#include "kernels/pool/spin.h"

namespace flyball {
namespace {

constexpr double kMaxCreditNs = 1e6;
// Below this a sleep is not worth it: the default timer slack alone is 50 us.
constexpr double kShortestSleepNs = 150'000;
constexpr double kSpinTailNs = 60'000;

constexpr double kQuantumNs = 50'000;

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

Pacer::Pacer() : clock_cost_ns_(cpu_clock_cost_ns()) {}

void Pacer::start() {
  items_ = 0;
  // Half of this read and half of the last one of the share lie outside the readings, yet they pass
  // like any delay.
  debt_ns_ -= clock_cost_ns_;
  work_from_ns_ = thread_cpu_ns();
}

void Pacer::settle(const PaceControl& control, bool share_ends) {
  const std::int64_t now = thread_cpu_ns();
  const double elapsed = static_cast<double>(now - work_from_ns_);
  const double work = std::max(elapsed - clock_cost_ns_, 0.0);
  const double ratio = control.ratio.load(std::memory_order_relaxed);
  debt_ns_ += work / ratio - elapsed;
  work_from_ns_ = now;
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
  const std::int64_t from = work_from_ns_;
  std::int64_t now = from;
  // Undisturbed, elapsed time is CPU time, and one look at the dear clock confirms it; after a
  // preemption the rest is waited for again.
  for (double left = debt_ns_; left > 0; left = debt_ns_ - static_cast<double>(now - from)) {
    const std::int64_t until = monotonic_ns() + static_cast<std::int64_t>(left - clock_cost_ns_);
    while (monotonic_ns() < until) cpu_relax();
    now = thread_cpu_ns();
  }
  debt_ns_ -= static_cast<double>(now - from);
  work_from_ns_ = now;
}

void Pacer::yield() {
  const std::int64_t from = monotonic_ns();
  const std::int64_t until = from + static_cast<std::int64_t>(debt_ns_);
  if (debt_ns_ >= kShortestSleepNs) {
    const std::int64_t wake = until - static_cast<std::int64_t>(kSpinTailNs);
    const timespec at{.tv_sec = static_cast<time_t>(wake / 1'000'000'000),
                      .tv_nsec = static_cast<long>(wake % 1'000'000'000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
  }
  std::int64_t now = monotonic_ns();
  for (; now < until; now = monotonic_ns()) cpu_relax();
  debt_ns_ -= static_cast<double>(now - from);
  work_from_ns_ = thread_cpu_ns();
}

}  // namespace flyball
