#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "env/spaces/action.h"
#include "env/spaces/observation.h"

namespace flyball {

struct PlatformSpec;
struct Scenario;

/// Something to turn. `values` are in `unit` and in the order of the indices used by `Action`.
struct KnobSpec {
  enum class Kind { kFrequency, kMapping, kLevel };
  std::string name;  ///< "A15.freq", "camera.mapping", "camera.width"
  std::string unit;  ///< "kHz", "cores", "%"
  Kind kind;
  int index;         ///< cluster of a frequency, application of a mapping or width
  std::vector<std::string> values;
};

/// Something observed. The desired range is the one in force at the start of the run.
struct MonitorSpec {
  enum class Direction { kLowerIsBetter, kHigherIsBetter, kNeither };
  enum class Kind { kPower, kBattery, kFreq, kUtil, kClusterPower, kTemp, kLatency, kMisses, kAccuracy, kBacklog };
  std::string name;  ///< "power", "A15.temp", "camera.latency"
  std::string unit;  ///< "mW", "C", "ms"
  Direction direction;
  double desired_min;
  double desired_max;
  double weight;     ///< share in the reward; 0 for what only informs
  Kind kind;
  int index;         ///< cluster or application
};

/// One value of a monitor with its stamp.
struct Reading {
  double value = 0;
  std::int64_t stamp_ns = 0;   ///< monotonic
  std::uint64_t sequence = 0;
};

/// What can be turned and seen on a platform with the applications of a scenario.
struct Spaces {
  std::vector<KnobSpec> knobs;
  std::vector<MonitorSpec> monitors;
  std::uint64_t hash = 0;  ///< of all of the above; a learned policy is only valid for this hash

  static Spaces of(const PlatformSpec& platform, const Scenario& scenario);
};

/// The number that a monitor shows in an observation.
Reading read(const MonitorSpec& monitor, const Observation& observation);
/// The index that an action gives a knob.
int setting_of(const KnobSpec& knob, const Action& action);

}  // namespace flyball
