#include "env/linux/actuate/clock_hand.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "kernels/base/clock.h"
#include "kernels/base/quiet_thread.h"

namespace flyball {

ClockHand::ClockHand(std::vector<PolicyActuator> policies)
    : policies_(std::move(policies)),
      retry_ns_(policies_.size(), 0),
      leaves_(new std::atomic<bool>[policies_.size()]()) {
  thread_ = quiet_thread([this] { body(); });
}

ClockHand::~ClockHand() {
  post(kEnd);
  thread_.join();
}

void ClockHand::post(std::int64_t wanted) noexcept {
  const std::int64_t now_ns = monotonic_ns();
  const bool retry = error_.load(std::memory_order_relaxed) != 0 && now_ns - posted_ns_ > kRetryNs;
  if (wanted == posted_ && !retry) return;
  posted_ = wanted;
  posted_ns_ = now_ns;
  wanted_.store(wanted, std::memory_order_release);
  asked_.fetch_add(1, std::memory_order_release);
  bell_.ring();
}

void ClockHand::stand_down(std::string_view policy) noexcept {
  for (std::size_t i = 0; i < policies_.size(); ++i) {
    if (policies_[i].name() != policy) continue;
    leaves_[i].store(true, std::memory_order_release);
    asked_.fetch_add(1, std::memory_order_release);
    bell_.ring();
  }
}

void ClockHand::body() noexcept {
  for (;;) {
    const std::uint32_t seen = bell_.mark();
    const std::uint64_t asked = asked_.load(std::memory_order_acquire);
    if (asked == done_.load(std::memory_order_relaxed)) {
      bell_.wait(seen, std::numeric_limits<std::int64_t>::max());
      continue;
    }
    const std::int64_t wanted = wanted_.load(std::memory_order_acquire);
    busy_since_ns_.store(monotonic_ns(), std::memory_order_release);
    for (std::size_t i = 0; i < policies_.size(); ++i) {
      if (leaves_[i].exchange(false, std::memory_order_acq_rel)) policies_[i].stand_down();
    }
    if (forgets_.exchange(false, std::memory_order_acq_rel)) {
      for (PolicyActuator& policy : policies_) policy.forget();
    }
    if (wanted > 0) {
      turn(wanted);
    } else {
      for (PolicyActuator& policy : policies_) policy.hand_over();
    }
    publish();
    busy_since_ns_.store(0, std::memory_order_release);
    done_.store(asked, std::memory_order_release);
    if (wanted == kEnd) return;
  }
}

void ClockHand::turn(std::int64_t khz) noexcept {
  for (std::size_t i = 0; i < policies_.size(); ++i) {
    if (retry_ns_[i] > 0 && monotonic_ns() < retry_ns_[i]) continue;
    policies_[i].set(khz);
    retry_ns_[i] = policies_[i].report().error != 0 ? monotonic_ns() + kRetryNs : 0;
  }
}

void ClockHand::publish() noexcept {
  std::int64_t in_force_khz = 0;
  int error = 0, stood_down = 0;
  std::uint64_t writes = 0, refused = 0, rounded = 0, ignored = 0;
  for (const PolicyActuator& policy : policies_) {
    const PolicyReport& report = policy.report();
    if (report.in_force_khz > 0 && (in_force_khz == 0 || report.in_force_khz < in_force_khz))
      in_force_khz = report.in_force_khz;
    if (error == 0) error = report.error;
    stood_down += report.stood_down ? 1 : 0;
    writes += report.writes;
    refused += report.refused;
    rounded += report.rounded;
    ignored += report.ignored;
  }
  in_force_khz_.store(in_force_khz, std::memory_order_relaxed);
  error_.store(error, std::memory_order_relaxed);
  stood_down_.store(stood_down, std::memory_order_relaxed);
  writes_.store(writes, std::memory_order_relaxed);
  refused_.store(refused, std::memory_order_relaxed);
  rounded_.store(rounded, std::memory_order_relaxed);
  ignored_.store(ignored, std::memory_order_relaxed);
}

HandReport ClockHand::report() const noexcept {
  HandReport report;
  report.busy = done_.load(std::memory_order_acquire) != asked_.load(std::memory_order_acquire);
  const std::int64_t since_ns = busy_since_ns_.load(std::memory_order_acquire);
  report.busy_ns =
      report.busy && since_ns > 0 ? std::max<std::int64_t>(0, monotonic_ns() - since_ns) : 0;
  report.in_force_khz = in_force_khz_.load(std::memory_order_relaxed);
  report.error = error_.load(std::memory_order_relaxed);
  report.stood_down = stood_down_.load(std::memory_order_relaxed);
  report.writes = writes_.load(std::memory_order_relaxed);
  report.refused = refused_.load(std::memory_order_relaxed);
  report.rounded = rounded_.load(std::memory_order_relaxed);
  report.ignored = ignored_.load(std::memory_order_relaxed);
  return report;
}

}  // namespace flyball
