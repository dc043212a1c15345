#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "env/spaces/monitors.h"

// The one place where a monitor is described: a line each. Table, recorder, CSV, JSON, display and
// reward go through these lines.

namespace flyball::monitor_fields {

using D = Monitor::Direction;
using T = Monitor::Type;
using Charge = Monitor::Charge;

inline constexpr D kLow = D::kLowerIsBetter, kHigh = D::kHigherIsBetter, kNone = D::kNeither;

/// A line of the table, before it is that of one cluster or slot.
struct Field {
  const char* name;
  const char* unit;
  D direction;
  T type;
  std::size_t offset;
  double scale = 1;
  double resolution = 0;
  bool shown = true;
  std::uint8_t counter = 0;
  double (*derive)(const void*) = nullptr;
  Charge charge = Charge::kNone;
  std::uint8_t sensor = 0;
};

/// A line that comes from a sensor, which may fail.
constexpr Field sensed(std::uint8_t sensor, Field field) {
  field.sensor = sensor;
  return field;
}

using P = Observation;
using C = ClusterObservation;
using A = AppObservation;
using R = RunningJobObservation;
inline constexpr bool kHidden = false, kShown = true;

template <class S, double (Counters::*figure)() const>
double derived(const void* from) {
  return (static_cast<const S*>(from)->counters.*figure)();
}

#define FLYBALL_SENSED(S)                                                                           \
  {"sensed_held", "", kNone, T::kU8, offsetof(S, sensed) + offsetof(Sensed, held), 1, 0, kHidden},  \
  {"sensed_absent", "", kNone, T::kU8, offsetof(S, sensed) + offsetof(Sensed, absent), 1, 0, kHidden}

// Resolutions: what sensors of boards tell apart (milliwatts, hundredths of a kelvin), and of
// counters some 0.1 % of what a busy core counts in a millisecond.
inline constexpr Field kPlatform[] = {
    {"sequence", "", kNone, T::kU64, offsetof(P, sequence), 1, 0, kHidden},
    {"now", "ns", kNone, T::kI64, offsetof(P, now_ns), 1, 0, kHidden},
    {"epoch", "ns", kNone, T::kI64, offsetof(P, epoch_ns), 1, 0, kHidden},
    sensed(Sensed::kPower, {"energy", "mJ", kLow, T::kF64, offsetof(P, energy_mj), 1, 1e-3, kShown,
                            0, nullptr, Charge::kTotalEnergy}),
    sensed(Sensed::kPower, {"power", "mW", kLow, T::kF64, offsetof(P, power_mw), 1, 1, kShown, 0,
                            nullptr, Charge::kPower}),
    {"battery", "%", kHigh, T::kF64, offsetof(P, battery_pct), 1, 1e-3},
    {"preference", "", kNone, T::kF64, offsetof(P, energy_preference), 1, 1e-3, kHidden},
    {"sustainable", "mW", kNone, T::kF64, offsetof(P, sustainable_mw), 1, 1, kHidden},
    {"clusters", "", kNone, T::kI32, offsetof(P, cluster_count), 1, 0, kHidden},
    {"apps", "", kNone, T::kI32, offsetof(P, app_count), 1, 0, kHidden},
    {"roster", "", kNone, T::kU32, offsetof(P, roster_version), 1, 0, kHidden},
    {"sensors_ok", "", kHigh, T::kBool, offsetof(P, sensors_ok), 1, 0, kHidden},
    {"held", "readings", kLow, T::kU32, offsetof(P, held), 1, 0},
    {"unlisted", "jobs", kLow, T::kU32, offsetof(P, jobs_unlisted), 1, 0, kHidden},
    FLYBALL_SENSED(P),
};

#define FLYBALL_COUNTER(S, field) offsetof(S, counters) + offsetof(Counters, field)
#define FLYBALL_COUNTERS(S)                                                                      \
  {"instructions", "k", kNone, T::kF64, FLYBALL_COUNTER(S, instructions), 1e-3, 1, true,         \
   Counters::kInstructions},                                                                     \
      {"cycles", "k", kNone, T::kF64, FLYBALL_COUNTER(S, cycles), 1e-3, 1, true,                 \
       Counters::kCycles},                                                                       \
      {"cache_references", "k", kNone, T::kF64, FLYBALL_COUNTER(S, cache_references), 1e-3,      \
       0.01, true, Counters::kReferences},                                                       \
      {"cache_misses", "k", kLow, T::kF64, FLYBALL_COUNTER(S, cache_misses), 1e-3, 0.01, true,   \
       Counters::kMisses},                                                                       \
      {"stalled_cycles", "k", kLow, T::kF64, FLYBALL_COUNTER(S, stalled_cycles), 1e-3, 1, true,  \
       Counters::kStalls},                                                                       \
      {"context_switches", "", kLow, T::kF64, FLYBALL_COUNTER(S, context_switches), 1, 1, true,  \
       Counters::kSwitches},                                                                     \
      {"counters_valid", "", kNone, T::kU8, FLYBALL_COUNTER(S, valid), 1, 0, kHidden},           \
      {"counters_held", "", kNone, T::kU8, FLYBALL_COUNTER(S, held), 1, 0, kHidden},             \
      {"ipc", "", kHigh, T::kDerived, 0, 1, 0, true, Counters::kInstructions | Counters::kCycles, \
       derived<S, &Counters::ipc>},                                                              \
      {"misses_per_kilo_instruction", "", kLow, T::kDerived, 0, 1, 0, true,                      \
       Counters::kMisses | Counters::kInstructions,                                              \
       derived<S, &Counters::misses_per_kilo_instruction>},                                      \
  {"stall_share", "", kLow, T::kDerived, 0, 1, 0, true, Counters::kStalls | Counters::kCycles,   \
   derived<S, &Counters::stall_share>}

inline constexpr Field kCluster[] = {
    sensed(Sensed::kClock, {"freq", "kHz", kNone, T::kI64, offsetof(C, freq_khz), 1, 0}),
    {"asked", "kHz", kNone, T::kI64, offsetof(C, asked_khz), 1, 0},
    sensed(Sensed::kClock, {"capacity", "", kHigh, T::kF64, offsetof(C, capacity), 1, 0.1}),
    sensed(Sensed::kLoad, {"util", "%", kNone, T::kF64, offsetof(C, util_max), 100, 0.1}),
    sensed(Sensed::kLoad, {"util_mean", "%", kNone, T::kF64, offsetof(C, util_mean), 100, 0.1}),
    sensed(Sensed::kPower, {"power", "mW", kLow, T::kF64, offsetof(C, power_mw), 1, 1}),
    sensed(Sensed::kTemp, {"temp", "C", kLow, T::kF64, offsetof(C, temp_c), 1, 0.01, kShown, 0,
                           nullptr, Charge::kHeat}),
    sensed(Sensed::kClock, {"opp", "", kNone, T::kU8, offsetof(C, opp), 1, 0, kHidden}),
    {"asked_opp", "", kNone, T::kU8, offsetof(C, asked_opp), 1, 0, kHidden},
    {"opp_cap", "", kNone, T::kU8, offsetof(C, opp_cap), 1, 0, kHidden},
    {"error", "errno", kLow, T::kI16, offsetof(C, error), 1, 0},
    FLYBALL_COUNTERS(C),
    FLYBALL_SENSED(C),
};

#define FLYBALL_REQUIRED(field) offsetof(A, required) + offsetof(Requirements, field)
#define FLYBALL_RUNNING(field) offsetof(A, running) + offsetof(R, field)
inline constexpr Field kApp[] = {
    {"generation", "", kNone, T::kU32, offsetof(A, generation), 1, 0, kHidden},
    {"active", "", kNone, T::kBool, offsetof(A, active), 1, 0, kHidden},
    {"latency", "ms", kLow, T::kI64, offsetof(A, last_latency_ns), 1e-6, 0},
    {"misses", "jobs", kLow, T::kU32, offsetof(A, missed), 1, 0, kShown, 0, nullptr,
     Charge::kMiss},
    {"shortfall", "%", kLow, T::kF64, offsetof(A, accuracy_shortfall_pct), 1, 1e-3, kShown, 0, nullptr,
     Charge::kShortfall},
    {"backlog", "jobs", kLow, T::kU32, offsetof(A, backlog), 1, 0},
    sensed(Sensed::kPower, {"energy", "mJ", kLow, T::kF64, offsetof(A, energy_mj), 1, 1e-3, kShown,
                            0, nullptr, Charge::kEnergy}),
    sensed(Sensed::kPower, {"over_budget", "mJ", kLow, T::kF64, offsetof(A, over_budget_mj), 1,
                            1e-3, kShown, 0, nullptr, Charge::kOverBudget}),
    {"below_floor", "jobs", kLow, T::kU32, offsetof(A, below_floor), 1, 0, kHidden, 0, nullptr,
     Charge::kMiss},
    {"over_budget_jobs", "jobs", kLow, T::kU32, offsetof(A, over_budget), 1, 0, kHidden, 0, nullptr,
     Charge::kMiss},
    {"forgiven", "jobs", kNone, T::kF64, offsetof(A, forgiven), 1, 1e-3, kHidden, 0, nullptr,
     Charge::kForgiven},
    {"accuracy_lost", "%", kLow, T::kF64, offsetof(A, accuracy_lost_pct), 1, 1e-3, kHidden, 0, nullptr,
     Charge::kAccuracyLost},
    {"latency_sum", "ns", kLow, T::kI64, offsetof(A, latency_sum_ns), 1, 0, kHidden, 0, nullptr,
     Charge::kLatency},
    {"undesired", "", kLow, T::kF64, offsetof(A, undesired), 1, 1e-3, kHidden, 0, nullptr,
     Charge::kUndesired},
    {"released", "jobs", kNone, T::kU32, offsetof(A, released), 1, 0},
    {"finished", "jobs", kNone, T::kU32, offsetof(A, finished), 1, 0},
    {"dropped", "jobs", kLow, T::kU32, offsetof(A, dropped), 1, 0},
    {"execution", "ms", kLow, T::kI64, offsetof(A, last_execution_ns), 1e-6, 0},
    {"job_cycles", "k", kNone, T::kF64, offsetof(A, last_cycles), 1e-3, 1},
    {"last_mapping", "", kNone, T::kU8, offsetof(A, last_setting.mapping), 1, 0, kHidden},
    {"last_level", "", kNone, T::kU8, offsetof(A, last_setting.level), 1, 0, kHidden},
    {"mapping", "", kNone, T::kU8, offsetof(A, setting.mapping), 1, 0, kHidden},
    {"level", "", kNone, T::kU8, offsetof(A, setting.level), 1, 0, kHidden},
    {"period", "ns", kNone, T::kI64, FLYBALL_REQUIRED(period_ns), 1, 0, kHidden},
    {"deadline", "ns", kNone, T::kI64, FLYBALL_REQUIRED(deadline_ns), 1, 0, kHidden},
    {"grace", "ns", kNone, T::kI64, FLYBALL_REQUIRED(grace_ns), 1, 0, kHidden},
    {"accuracy_floor", "%", kNone, T::kF64, FLYBALL_REQUIRED(accuracy_floor_pct), 1, 0, kHidden},
    {"energy_budget", "mJ", kNone, T::kF64, FLYBALL_REQUIRED(energy_budget_mj), 1, 0, kHidden},
    {"power_budget", "mW", kNone, T::kF64, FLYBALL_REQUIRED(power_budget_mw), 1, 0, kHidden},
    {"priority", "", kNone, T::kI32, FLYBALL_REQUIRED(priority), 1, 0, kHidden},
    {"objective", "", kNone, T::kI32, FLYBALL_REQUIRED(objective), 1, 0, kHidden},
    {"running", "", kNone, T::kBool, FLYBALL_RUNNING(busy), 1, 0, kHidden},
    {"running.sequence", "", kNone, T::kU64, FLYBALL_RUNNING(sequence), 1, 0, kHidden},
    {"running.release", "ns", kNone, T::kI64, FLYBALL_RUNNING(release_ns), 1, 0, kHidden},
    {"running.start", "ns", kNone, T::kI64, FLYBALL_RUNNING(start_ns), 1, 0, kHidden},
    {"running.deadline", "ns", kNone, T::kI64, FLYBALL_RUNNING(deadline_ns), 1, 0, kHidden},
    {"running.mapping", "", kNone, T::kU8, FLYBALL_RUNNING(setting.mapping), 1, 0, kHidden},
    {"running.level", "", kNone, T::kU8, FLYBALL_RUNNING(setting.level), 1, 0, kHidden},
    {"waiting", "jobs", kLow, T::kU32, offsetof(A, waiting_count), 1, 0, kHidden},
    FLYBALL_COUNTERS(A),
};

template <class Value>
Value load(const char* at) {
  Value value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
/// A number as it is stored.
inline double stored(T type, const char* at) {
  switch (type) {
    case T::kF64:
      return load<double>(at);
    case T::kI64:
      return static_cast<double>(load<std::int64_t>(at));
    case T::kU64:
      return static_cast<double>(load<std::uint64_t>(at));
    case T::kU32:
      return load<std::uint32_t>(at);
    case T::kI32:
      return load<std::int32_t>(at);
    case T::kU8:
    case T::kBool:
      return load<std::uint8_t>(at);
    case T::kI16:
      return load<std::int16_t>(at);
    case T::kDerived:
      return 0;
  }
  return 0;
}

}  // namespace flyball::monitor_fields
