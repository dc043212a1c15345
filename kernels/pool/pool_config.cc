#include "kernels/pool/pool_config.h"

#include <fmt/format.h>
#include <sched.h>

namespace flyball {

std::string PoolStatus::message() const {
  switch (error) {
    case PoolError::kNone:
      return "accepted";
    case PoolError::kNoActive:
      return fmt::format(
          "active workers {}: a pool needs at least the calling one; ask for 1 or more", value);
    case PoolError::kTooManyActive:
      return fmt::format("active workers {}: the pool was made with {}; ask for at most those",
                         value, limit);
    case PoolError::kUnknownCpu:
      return fmt::format(
          "CPU {}: this machine has no such CPU; see /sys/devices/system/cpu/present", value);
    case PoolError::kOfflineCpu:
      return fmt::format("CPU {}: it is offline; choose from /sys/devices/system/cpu/online",
                         value);
    case PoolError::kNegativeSpin:
      return fmt::format("spin budget {} ns: a time cannot be negative; use 0 to park at once",
                         value);
    case PoolError::kPriority:
      return fmt::format(
          "priority {}: it does not go with the scheduling class; use 1 to 99 with the real-time "
          "classes and 0 with the others",
          value);
  }
  return "unknown error";
}

namespace {

std::uint32_t pack(const Scheduling& scheduling) {
  return static_cast<std::uint32_t>(scheduling.sched_class) << 8 |
         static_cast<std::uint32_t>(scheduling.priority);
}
Scheduling unpack(std::uint32_t packed) {
  return {static_cast<SchedClass>(packed >> 8), static_cast<int>(packed & 0xff)};
}

}  // namespace

void PoolConfigCell::publish(const PoolConfig& config) {
  while (writing_.test_and_set(std::memory_order_acquire)) sched_yield();
  const std::uint64_t next = version_.load(std::memory_order_relaxed) + 1;
  Snapshot& snapshot = snapshots_[next % kSnapshots];
  // Release stores: a reader that sees one of them also sees that its version was overtaken.
  snapshot.active.store(config.active, std::memory_order_release);
  snapshot.spin_ns.store(config.spin_ns, std::memory_order_release);
  snapshot.scheduling.store(pack(config.scheduling), std::memory_order_release);
  for (int w = 0; w < CpuSet::kWords; ++w)
    snapshot.cpu_words[w].store(config.cpus.word(w), std::memory_order_release);
  version_.store(next, std::memory_order_release);
  writing_.clear(std::memory_order_release);
}

std::uint64_t PoolConfigCell::read(PoolConfig& out) const {
  for (;;) {
    const std::uint64_t version = version_.load(std::memory_order_acquire);
    const Snapshot& snapshot = snapshots_[version % kSnapshots];
    out.active = snapshot.active.load(std::memory_order_acquire);
    out.spin_ns = snapshot.spin_ns.load(std::memory_order_acquire);
    out.scheduling = unpack(snapshot.scheduling.load(std::memory_order_acquire));
    for (int w = 0; w < CpuSet::kWords; ++w)
      out.cpus.set_word(w, snapshot.cpu_words[w].load(std::memory_order_acquire));
    // Publication version + 4 reuses this snapshot; it starts after version + 3 is out.
    if (version_.load(std::memory_order_relaxed) < version + kSnapshots - 1) return version;
  }
}

}  // namespace flyball
