#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include "env/spaces/sensed.h"

namespace flyball {

/// What can be counted. Also the order in which descriptors are given away: the first matter most.
enum class CounterField : std::uint8_t {
  kInstructions,
  kCycles,
  kCacheMisses,
  kCacheReferences,
  kStalledCycles,
  kContextSwitches,
  kCpuTime,
};
inline constexpr int kCounterFields = 7;
constexpr std::uint8_t counter_bit(CounterField field) {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(field));
}
/// "cache misses"
const char* counter_name(CounterField field);

/// What happened since the reading before, scaled up where the events shared a counter. A field
/// that is not valid is NaN, never 0. One that is held repeats the last good reading: it is valid,
/// but already counted, so that the fields that are valid and not held add up to the truth.
struct CounterSample {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  double instructions = kNone;
  double cycles = kNone;
  double cache_references = kNone;
  double cache_misses = kNone;
  double stalled_cycles = kNone;  ///< waiting for memory ("backend")
  double context_switches = kNone;
  double cpu_time_ns = kNone;         ///< of the threads; absent where CPUs are counted
  std::uint8_t valid = 0;             ///< counter_bit() of each field
  std::uint8_t held = 0;              ///< subset of `valid`
  const char* cache_level = nullptr;  ///< "L2", "LLC": what misses and references are of

  double& at(CounterField field);
  double at(CounterField field) const { return const_cast<CounterSample&>(*this).at(field); }
  bool is_valid(CounterField field) const { return (valid & counter_bit(field)) != 0; }
  bool is_held(CounterField field) const { return (held & counter_bit(field)) != 0; }
  void set(CounterField field, double value) {
    at(field) = value;
    valid |= counter_bit(field);
  }
};

struct CounterTally {
  std::uint64_t reads = 0;
  std::uint64_t failed = 0;   ///< reads in which a descriptor failed
  std::uint64_t held = 0;     ///< field values held over
  std::uint64_t invalid = 0;  ///< field values missing although their event is open
};

/// A source of counters, used by one thread.
class CounterSource {
 public:
  virtual ~CounterSource() = default;
  /// True when at least one field is fresh. Neither allocates nor waits for anything.
  virtual bool read(CounterSample& out) noexcept = 0;
  virtual const CounterTally& tally() const noexcept = 0;
  /// One line: what is measured by what, and what is absent and why.
  virtual std::string describe() const = 0;
};

/// Holds the last good value of each field over a few readings that lack it.
class CounterHold {
 public:
  static constexpr int kMaxHolds = kMaxHeldReadings;
  /// Completes `out`, whose fresh fields are valid. Only fields of `measured` are held.
  void complete(CounterSample& out, std::uint8_t measured, CounterTally& tally) noexcept;

 private:
  struct Last {
    double value = 0;
    bool known = false;
    int holds = 0;
  };
  std::array<Last, kCounterFields> last_{};
  const char* cache_level_ = nullptr;
};

}  // namespace flyball
