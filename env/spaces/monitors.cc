#include "env/spaces/monitors.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <type_traits>

#include "env/model/platform_spec.h"
#include "env/spaces/monitor_fields.h"
#include "env/spaces/reward.h"

namespace flyball {
namespace {

using monitor_fields::Charge;
using monitor_fields::Field;
using monitor_fields::kApp;
using monitor_fields::kCluster;
using monitor_fields::kHidden;
using monitor_fields::kNone;
using monitor_fields::kPlatform;
using monitor_fields::load;
using A = AppObservation;
using R = RunningJobObservation;
using T = Monitor::Type;

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

Monitor row_of(const Field& field, Monitor::Scope scope, std::size_t index,
               const std::string& prefix) {
  Monitor monitor;
  monitor.name = prefix + field.name;
  monitor.unit = field.unit;
  monitor.direction = field.direction;
  monitor.scope = scope;
  monitor.type = field.type;
  monitor.index = static_cast<std::uint16_t>(index);
  monitor.offset = static_cast<std::uint16_t>(field.offset);
  monitor.scale = field.scale;
  monitor.resolution = field.resolution;
  monitor.counter = field.counter;
  monitor.sensor = field.sensor;
  monitor.shown = field.shown;
  monitor.derive = field.derive;
  monitor.charge = field.charge;
  monitor.desired_max = kNoLimit;
  return monitor;
}

/// The CPUs of the running job, 64 a row.
void add_cpus(int slot, const std::string& prefix, std::vector<Monitor>& rows) {
  for (std::size_t i = 0; i < CpuSet::kWords; ++i) {
    const std::string name = "running.cpus" + std::to_string(i);
    const Field field{name.c_str(), "", kNone, T::kU64,
                      FLYBALL_RUNNING(cpus) + i * sizeof(std::uint64_t), 1, 0, kHidden};
    rows.push_back(row_of(field, Monitor::Scope::kApp, static_cast<std::size_t>(slot), prefix));
  }
}

/// The queue: three rows per place in it, which only complete the record.
void add_queue(int slot, const std::string& prefix, std::vector<Monitor>& rows) {
  for (std::size_t i = 0; i < kMaxQueue; ++i) {
    const std::string name = "waiting" + std::to_string(i);
    const std::size_t at = offsetof(A, waiting) + i * sizeof(WaitingJob);
    const Field fields[] = {
        {".sequence", "", kNone, T::kU64, at + offsetof(WaitingJob, sequence), 1, 0, kHidden},
        {".release", "ns", kNone, T::kI64, at + offsetof(WaitingJob, release_ns), 1, 0, kHidden},
        {".deadline", "ns", kNone, T::kI64, at + offsetof(WaitingJob, deadline_ns), 1, 0, kHidden},
    };
    for (const Field& field : fields) {
      rows.push_back(
          row_of(field, Monitor::Scope::kApp, static_cast<std::size_t>(slot), prefix + name));
    }
  }
}

double temp_limit_c(const PlatformSpec& platform, std::size_t cluster, double otherwise_c) {
  double limit = kNoLimit;
  for (const TripPoint& trip : platform.trips) {
    if (trip.kind == TripPoint::Kind::kCritical || trip.cluster != static_cast<int>(cluster)) {
      continue;
    }
    limit = std::min(limit, trip.temp_c - 5);
  }
  return limit < kNoLimit ? limit : otherwise_c;
}

/// `Of`: Observation, const or not.
template <class Of>
auto base_of(const Monitor& monitor, Of& of) {
  using Byte = std::conditional_t<std::is_const_v<Of>, const char, char>;
  switch (monitor.scope) {
    case Monitor::Scope::kPlatform:
      return reinterpret_cast<Byte*>(&of);
    case Monitor::Scope::kCluster:
      return reinterpret_cast<Byte*>(&of.cluster[monitor.index]);
    case Monitor::Scope::kApp:
      return reinterpret_cast<Byte*>(&of.app[monitor.index]);
  }
  return static_cast<Byte*>(nullptr);
}

template <class Value>
void store(char* at, Value value) {
  std::memcpy(at, &value, sizeof value);
}

/// An application's energy is a share of the platform's.
const Sensed& sensed_of(const Monitor& monitor, const Observation& from) {
  return monitor.scope == Monitor::Scope::kCluster ? from.cluster[monitor.index].sensed
                                                   : from.sensed;
}

Reading::State state_of(const Monitor& monitor, const Observation& from) {
  using State = Reading::State;
  if (monitor.counter != 0) {
    const Counters& counters = monitor.scope == Monitor::Scope::kCluster
                                   ? from.cluster[monitor.index].counters
                                   : from.app[monitor.index].counters;
    if (counters.has(monitor.counter)) return State::kOfEpoch;
    const int there = counters.valid | counters.held;
    return (there & monitor.counter) == monitor.counter ? State::kHeld : State::kAbsent;
  }
  const Sensed& sensed = sensed_of(monitor, from);
  if ((sensed.absent & monitor.sensor) != 0) return State::kAbsent;
  return (sensed.held & monitor.sensor) != 0 ? State::kHeld : State::kOfEpoch;
}

}  // namespace

MonitorTable::MonitorTable(const PlatformSpec& platform, const RewardWeights& weights,
                           const std::vector<std::string>& measured)
    : miss_weight_(weights.miss), accuracy_weight_(weights.accuracy_per_pct) {
  const auto is_measured = [&](const char* name) {
    return std::find(measured.begin(), measured.end(), name) != measured.end();
  };
  for (const Field& field : kPlatform) {
    rows_.push_back(row_of(field, Monitor::Scope::kPlatform, 0, ""));
    rows_.back().measured = is_measured(field.name);
    if (rows_.back().name == "battery") rows_.back().desired_max = 100;
    if (field.charge != Charge::kPower) continue;
    power_measured_ = rows_.back().measured;
    rows_.back().weight = 1;  // at a preference of 0.5
  }
  for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
    const ClusterSpec& cluster = platform.clusters[c];
    for (const Field& field : kCluster) {
      Monitor row = row_of(field, Monitor::Scope::kCluster, c, cluster.name + ".");
      row.measured = is_measured(field.counter != 0 ? "counters" : field.name);
      const std::string name = field.name;
      if (name == "freq") {
        row.desired_min = static_cast<double>(cluster.opps.front().freq_khz);
        row.desired_max = static_cast<double>(cluster.opps.back().freq_khz);
      } else if (field.charge == Charge::kHeat) {
        row.desired_max = temp_limit_c(platform, c, weights.temp_limit_c);
        row.weight = weights.heat_per_c_s;
      }
      rows_.push_back(std::move(row));
    }
  }
}

void MonitorTable::unbind(int slot) {
  std::erase_if(rows_, [slot](const Monitor& row) {
    return row.scope == Monitor::Scope::kApp && row.index == slot;
  });
  set_power_budget(slot, 0);
}

void MonitorTable::set_power_budget(int slot, double budget_mw) {
  power_budget_mw_[static_cast<std::size_t>(slot)] = budget_mw;
  double strictest_mw = kNoLimit;
  for (const double each_mw : power_budget_mw_) {
    if (each_mw > 0) strictest_mw = std::min(strictest_mw, each_mw);
  }
  for (Monitor& row : rows_) {
    if (row.charge == Charge::kPower) row.desired_max = strictest_mw;
  }
}

void MonitorTable::bind(int slot, const Binding& binding, const Requirements& required) {
  unbind(slot);
  const std::string prefix = binding.name + ".";
  for (const Field& field : kApp) {
    Monitor row = row_of(field, Monitor::Scope::kApp, static_cast<std::size_t>(slot), prefix);
    const std::string name = field.name;
    // A share of the platform's energy is no more measured than that is.
    row.measured = power_measured_ || (name != "energy" && name != "over_budget");
    if (name == "latency" && required.deadline_ns > 0) {
      row.desired_max = static_cast<double>(required.deadline_ns) * 1e-6;
    } else if (name == "backlog") {
      row.desired_max = 1;
    } else if (field.charge == Charge::kMiss) {
      row.desired_max = 0;
      row.weight = miss_weight_ * required.priority;
    } else if (field.charge == Charge::kShortfall) {
      row.desired_max = 0;
      row.weight = accuracy_weight_;
    }
    rows_.push_back(std::move(row));
  }
  add_cpus(slot, prefix, rows_);
  add_queue(slot, prefix, rows_);
  set_power_budget(slot, required.power_budget_mw);
}

const Monitor* MonitorTable::find(const std::string& name) const {
  const auto found = std::find_if(rows_.begin(), rows_.end(),
                                  [&](const Monitor& row) { return row.name == name; });
  return found == rows_.end() ? nullptr : &*found;
}

Reading read(const Monitor& monitor, const Observation& from) {
  Reading reading{0, true, state_of(monitor, from), from.now_ns, from.sequence};
  const char* base = base_of(monitor, from);
  const char* at = base + monitor.offset;
  reading.value =
      monitor.type == T::kDerived ? monitor.derive(base) : monitor_fields::stored(monitor.type, at);
  reading.value *= monitor.scale;
  using State = Reading::State;
  if (!std::isfinite(reading.value) && reading.state == State::kOfEpoch)
    reading.state = State::kAbsent;
  reading.valid = std::isfinite(reading.value) &&
                  (reading.state == State::kOfEpoch ||
                   (reading.state == State::kHeld && monitor.counter == 0));
  if (!reading.valid) reading.value = std::numeric_limits<double>::quiet_NaN();
  return reading;
}

std::int64_t quantised(const Monitor& monitor, const Observation& from) {
  const char* at = base_of(monitor, from) + monitor.offset;
  switch (monitor.type) {
    case T::kF64: {
      const double value = load<double>(at);
      if (monitor.resolution == 0) return load<std::int64_t>(at);
      const double steps = value * monitor.scale / monitor.resolution;
      if (!(std::abs(steps) < 9e18)) return std::numeric_limits<std::int64_t>::min();
      return std::llround(steps);
    }
    case T::kI64:
    case T::kU64:
      return load<std::int64_t>(at);
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

void restore(const Monitor& monitor, std::int64_t value, Observation& to) {
  char* at = base_of(monitor, to) + monitor.offset;
  switch (monitor.type) {
    case T::kF64:
      if (monitor.resolution == 0) {
        store(at, value);
      } else {
        store(at, value == std::numeric_limits<std::int64_t>::min()
                      ? std::numeric_limits<double>::quiet_NaN()
                      : static_cast<double>(value) * monitor.resolution / monitor.scale);
      }
      break;
    case T::kI64:
    case T::kU64:
      store(at, value);
      break;
    case T::kU32:
    case T::kI32:
      store(at, static_cast<std::uint32_t>(value));
      break;
    case T::kU8:
      store(at, static_cast<std::uint8_t>(value));
      break;
    case T::kBool:
      store(at, static_cast<std::uint8_t>(value != 0));
      break;
    case T::kI16:
      store(at, static_cast<std::int16_t>(value));
      break;
    case T::kDerived:
      break;
  }
}

std::vector<KnobSpec> knobs_of(const PlatformSpec& platform) {
  std::vector<KnobSpec> knobs;
  for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
    const ClusterSpec& cluster = platform.clusters[c];
    KnobSpec knob{
        cluster.name + ".freq", "kHz", KnobSpec::Kind::kFrequency, static_cast<int>(c), {}, {}, {}};
    for (const OperatingPoint& opp : cluster.opps) {
      knob.values.push_back(std::to_string(opp.freq_khz));
    }
    knobs.push_back(std::move(knob));
  }
  return knobs;
}

std::vector<KnobSpec> knobs_of(const PlatformSpec& platform, int slot, const Binding& binding) {
  KnobSpec mapping{binding.name + ".mapping", "cores", KnobSpec::Kind::kMapping, slot, {}, {}, {}};
  for (const Mapping& m : platform.mappings) mapping.values.push_back(m.name);
  KnobSpec level{binding.name + ".level", "", KnobSpec::Kind::kLevel, slot, {}, binding.knobs,
                 binding.levels};
  for (const DeclaredLevel& one : binding.levels) {
    level.values.push_back(level_name(binding.knobs, one.knob));
  }
  return {std::move(mapping), std::move(level)};
}

int setting_of(const KnobSpec& knob, const Action& action) {
  const auto index = static_cast<std::size_t>(knob.index);
  switch (knob.kind) {
    case KnobSpec::Kind::kFrequency:
      return action.opp[index];
    case KnobSpec::Kind::kMapping:
      return action.app[index].mapping;
    case KnobSpec::Kind::kLevel:
      return action.app[index].level;
  }
  return 0;
}

}  // namespace flyball
