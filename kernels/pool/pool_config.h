#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "kernels/pool/scheduling.h"
#include "kernels/pool/topology.h"

namespace flyball {

/// What can be changed of a pool from outside, between jobs.
struct PoolConfig {
  int active = 1;  ///< workers that share a job, the calling thread included
  CpuSet cpus;  ///< worker i is pinned to the i-th of them (modulo their number); empty: nobody is
                ///< pinned
  std::int64_t spin_ns =
      50'000;             ///< how long a worker that waits spins before it parks; 0: parks at once
  Scheduling scheduling;  ///< of the active workers, the calling thread included
  bool operator==(const PoolConfig&) const = default;
};

enum class PoolError : std::uint8_t {
  kNone,
  kNoActive,       ///< active < 1
  kTooManyActive,  ///< more than the pool has threads
  kUnknownCpu,     ///< the machine has no such CPU
  kOfflineCpu,     ///< it has, but the CPU is switched off
  kNegativeSpin,
  kPriority,  ///< does not go with the scheduling class
};

/// Why a configuration was refused, and which value it was.
struct PoolStatus {
  PoolError error = PoolError::kNone;
  std::int64_t value = 0;  ///< the offending number: active, the CPU, spin_ns, or the priority
  std::int64_t limit = 0;  ///< kTooManyActive: how many there are
  explicit operator bool() const { return error == PoolError::kNone; }
  /// One line: what, why, what to do. Allocates.
  std::string message() const;
};

/// Hands a configuration from any thread to the pool. Reading never waits for a writer, however
/// long that is preempted: the last four publications stay readable, and the reader tries again
/// only when all of them were overtaken meanwhile.
class PoolConfigCell {
 public:
  explicit PoolConfigCell(const PoolConfig& initial) { publish(initial); }

  void publish(const PoolConfig& config);
  /// The latest publication's number; compare it with what the last `read` returned.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  std::uint64_t read(PoolConfig& out) const;

 private:
  struct Snapshot {
    std::atomic<int> active{1};
    std::atomic<std::int64_t> spin_ns{0};
    std::atomic<std::uint32_t> scheduling{0};  // class << 8 | priority
    std::array<std::atomic<std::uint64_t>, CpuSet::kWords> cpu_words{};
  };
  static constexpr std::uint64_t kSnapshots = 4;

  std::atomic<std::uint64_t> version_{0};
  std::atomic_flag writing_;
  std::array<Snapshot, kSnapshots> snapshots_;
};

}  // namespace flyball
