#pragma once

#include <algorithm>
#include <optional>

#include "env/linux/counter_source.h"
#include "env/spaces/counters.h"

namespace flyball {

/// What was counted anew, as an observation has it; of what is held over, only that it is.
inline void take_counts(const CounterSample& from, Counters& to) {
  const auto take = [&](CounterField field, std::uint8_t bit, double& value) {
    if (!from.is_valid(field)) return;
    if (from.is_held(field)) {
      to.held |= bit;
      return;
    }
    value = from.at(field);
    to.valid |= bit;
  };
  take(CounterField::kInstructions, Counters::kInstructions, to.instructions);
  take(CounterField::kCycles, Counters::kCycles, to.cycles);
  take(CounterField::kCacheReferences, Counters::kReferences, to.cache_references);
  take(CounterField::kCacheMisses, Counters::kMisses, to.cache_misses);
  take(CounterField::kStalledCycles, Counters::kStalls, to.stalled_cycles);
  take(CounterField::kContextSwitches, Counters::kSwitches, to.context_switches);
}

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
