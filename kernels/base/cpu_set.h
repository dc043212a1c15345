#pragma once

#include <pthread.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace flyball {

/// Linux's CPU_SETSIZE; a CPU beyond it cannot be pinned to with the plain affinity calls.
inline constexpr int kMaxCpus = 1024;

/// A set of CPU numbers. A plain value: no allocation.
class CpuSet {
 public:
  static constexpr int kWords = kMaxCpus / 64;
  CpuSet() = default;
  CpuSet(std::initializer_list<int> cpus) {
    for (int cpu : cpus) add(cpu);
  }
  /// Bit i stands for CPU i.
  static CpuSet from_mask(std::uint64_t mask);

  /// False, and nothing changes, when `cpu` is not in [0, kMaxCpus).
  bool add(int cpu);
  bool contains(int cpu) const;
  int count() const;
  bool empty() const { return count() == 0; }
  /// The CPU with `index` smaller ones in the set; -1 when there are not so many.
  int nth(int index) const;
  /// The smallest CPU that `other` lacks; -1 when `other` has them all.
  int first_missing_in(const CpuSet& other) const;
  CpuSet operator&(const CpuSet& other) const;
  CpuSet operator|(const CpuSet& other) const;
  /// As Linux writes it: "0-3,6".
  std::string to_string() const;

  std::uint64_t word(int index) const { return words_[index]; }
  void set_word(int index, std::uint64_t bits) { words_[index] = bits; }
  bool operator==(const CpuSet&) const = default;

 private:
  std::array<std::uint64_t, kWords> words_{};
};

/// Reads "0-3,6" (a trailing newline is accepted); nothing when it is not a CPU list.
std::optional<CpuSet> parse_cpu_list(std::string_view text);

/// The CPUs that the calling thread may run on.
CpuSet thread_affinity();

/// 0, or the errno value of the refusal: EINVAL when none of the CPUs is online and allowed.
int set_thread_affinity(pthread_t thread, const CpuSet& cpus);

}  // namespace flyball
