#pragma once

#include <algorithm>
#include <optional>

#include "env/linux/counter_source.h"

namespace flyball {

namespace counter_internal {
/// Nothing when either is missing, when one is held and the other not (they are of different
/// stretches of time), or when nothing was counted.
inline std::optional<double> ratio(const CounterSample& s, CounterField over, CounterField under) {
  if (!s.is_valid(over) || !s.is_valid(under) || s.is_held(over) != s.is_held(under)) return {};
  if (!(s.at(under) > 0)) return {};
  return s.at(over) / s.at(under);
}
}  // namespace counter_internal

/// Instructions per cycle.
inline std::optional<double> ipc(const CounterSample& s) {
  return counter_internal::ratio(s, CounterField::kInstructions, CounterField::kCycles);
}

/// Of the cache that `cache_level` names.
inline std::optional<double> misses_per_kilo_instruction(const CounterSample& s) {
  auto per = counter_internal::ratio(s, CounterField::kCacheMisses, CounterField::kInstructions);
  if (per) *per *= 1000;
  return per;
}

/// Share of the cycles, 0 to 1. Scaling can push the estimate beyond 1, which no machine does.
inline std::optional<double> stall_share(const CounterSample& s) {
  auto share = counter_internal::ratio(s, CounterField::kStalledCycles, CounterField::kCycles);
  if (share) *share = std::min(*share, 1.0);
  return share;
}

/// The clock that the threads were really given while they ran.
inline std::optional<double> delivered_khz(const CounterSample& s) {
  auto per_ns = counter_internal::ratio(s, CounterField::kCycles, CounterField::kCpuTime);
  if (per_ns) *per_ns *= 1e6;
  return per_ns;
}

}  // namespace flyball
