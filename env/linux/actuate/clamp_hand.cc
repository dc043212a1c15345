#include "env/linux/actuate/clamp_hand.h"

#include <algorithm>
#include <cerrno>

namespace flyball {

ClampHand::ClampHand(ClampCalls& calls, SettingHook* hook, bool headroom)
    : calls_(calls), hook_(hook), headroom_(headroom), list_(kMaxThreads) {}

ClampHand::~ClampHand() { hand_over(); }

void ClampHand::add_cluster(const CpuSet& cpus, std::int64_t top_khz, double capacity) {
  clusters_.push_back({cpus, top_khz, capacity});
  wanted_khz_.push_back(0);
  reports_.emplace_back();
}

void ClampHand::set_threads(std::span<const pid_t> threads) noexcept {
  const auto known = [&] { return std::span(list_).first(count_); };
  for (Thread& thread : known()) thread.stays = false;
  for (const pid_t id : threads) {
    const auto found = std::ranges::find(known(), id, &Thread::id);
    if (found != known().end()) {
      found->stays = true;
    } else if (count_ < kMaxThreads) {
      list_[count_] = {};
      list_[count_].id = id;
      list_[count_++].stays = true;
    }
  }
  for (std::size_t i = count_; i-- > 0;) {
    if (list_[i].stays) continue;
    give_back(list_[i]);
    remove(i);
  }
}

void ClampHand::remove(std::size_t index) noexcept { list_[index] = list_[--count_]; }

void ClampHand::turn(std::int64_t now_ns) noexcept {
  for (HandReport& report : reports_) report.error = 0;
  for (std::size_t i = count_; i-- > 0;) {
    turn(list_[i], now_ns);
    if (list_[i].id == 0) remove(i);
  }
}

void ClampHand::turn(Thread& thread, std::int64_t now_ns) noexcept {
  CpuSet allowed;
  if (const int error = calls_.cpus(thread.id, allowed)) {
    if (error == ESRCH) thread.id = 0;  // it has ended, and its clamps with it
    return;
  }
  std::uint32_t wanted = 0;
  for (std::size_t c = 0; c < clusters_.size(); ++c) {
    const Cluster& cluster = clusters_[c];
    if (wanted_khz_[c] <= 0 || (cluster.cpus & allowed).empty()) continue;
    const std::uint32_t of_cluster =
        clamp_of_clock(wanted_khz_[c], cluster.top_khz, cluster.capacity, headroom_);
    if (of_cluster <= wanted) continue;
    wanted = of_cluster;
    thread.cluster = static_cast<std::uint32_t>(c);
  }
  if (wanted == 0 || thread.left) return;
  HandReport& report = reports_[thread.cluster];
  if (thread.retry_ns > now_ns) {
    report.error = thread.error;
    return;
  }
  thread.retry_ns = 0;
  if (thread.ours && thread.written == UtilClamps{wanted, wanted}) return;
  const int error = clamp(thread, wanted);
  if (error == ESRCH) {
    thread.id = 0;
  } else if (error == ECANCELED) {
    ++report.stood_down;
  } else if (error != 0) {
    ++report.refused;
    report.error = thread.error = error;
    thread.retry_ns = now_ns + kRetryNs;
  } else {
    ++report.writes;
  }
}

int ClampHand::clamp(Thread& thread, std::uint32_t clamp) noexcept {
  UtilClamps now;
  if (const int error = calls_.read(thread.id, now)) return error;
  if (!thread.ours) thread.found = now;
  if (thread.ours && !(now == thread.written)) {
    thread.left = true;
    if (hook_ != nullptr) hook_->on_clamp_left(thread.id, /*given_back=*/false);
    return ECANCELED;
  }
  const UtilClamps wanted{clamp, clamp};
  if (hook_ != nullptr)
    if (const int error = hook_->on_clamp(thread.id, thread.found, wanted)) return error;
  if (const int error = calls_.write(thread.id, wanted)) return error;
  thread.ours = true;
  thread.written = wanted;
  if (hook_ != nullptr) hook_->on_clamped(thread.id, wanted);
  return 0;
}

void ClampHand::give_back(Thread& thread) noexcept {
  if (!thread.ours || thread.left) return;
  UtilClamps now;
  if (calls_.read(thread.id, now) != 0) return;  // it has ended
  bool back = now == thread.found;
  if (!back && now == thread.written) {
    if (hook_ != nullptr && hook_->on_clamp(thread.id, thread.found, thread.found) != 0) return;
    back = calls_.write(thread.id, thread.found) == 0;
    if (!back) return;  // the supervisor tries again
    ++reports_[thread.cluster].writes;
  }
  thread.ours = false;
  if (hook_ != nullptr) hook_->on_clamp_left(thread.id, back);
}

void ClampHand::hand_over() noexcept {
  for (std::size_t i = 0; i < count_; ++i) give_back(list_[i]);
}

}  // namespace flyball
