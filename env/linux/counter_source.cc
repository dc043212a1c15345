#include "env/linux/counter_source.h"

namespace flyball {

const char* counter_name(CounterField field) {
  switch (field) {
    case CounterField::kInstructions:
      return "instructions";
    case CounterField::kCycles:
      return "cycles";
    case CounterField::kCacheMisses:
      return "cache misses";
    case CounterField::kCacheReferences:
      return "cache references";
    case CounterField::kStalledCycles:
      return "stalled cycles";
    case CounterField::kContextSwitches:
      return "context switches";
    case CounterField::kCpuTime:
      break;
  }
  return "CPU time";
}

double& CounterSample::at(CounterField field) {
  switch (field) {
    case CounterField::kInstructions:
      return instructions;
    case CounterField::kCycles:
      return cycles;
    case CounterField::kCacheMisses:
      return cache_misses;
    case CounterField::kCacheReferences:
      return cache_references;
    case CounterField::kStalledCycles:
      return stalled_cycles;
    case CounterField::kContextSwitches:
      return context_switches;
    case CounterField::kCpuTime:
      break;
  }
  return cpu_time_ns;
}

void CounterHold::complete(CounterSample& out, std::uint8_t measured,
                           CounterTally& tally) noexcept {
  if (out.cache_level != nullptr) cache_level_ = out.cache_level;
  for (int i = 0; i < kCounterFields; ++i) {
    const auto field = static_cast<CounterField>(i);
    Last& last = last_[static_cast<std::size_t>(i)];
    if (out.is_valid(field)) {
      last = {out.at(field), true, 0};
    } else if ((measured & counter_bit(field)) == 0) {
      last.known = false;
    } else if (last.known && last.holds < kMaxHolds) {
      ++last.holds;
      ++tally.held;
      out.set(field, last.value);
      out.held |= counter_bit(field);
    } else {
      ++tally.invalid;
    }
  }
  const bool cache =
      out.is_valid(CounterField::kCacheMisses) || out.is_valid(CounterField::kCacheReferences);
  out.cache_level = cache ? cache_level_ : nullptr;
}

}  // namespace flyball
