#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "env/spaces/action.h"
#include "env/spaces/binding.h"
#include "env/spaces/observation.h"

namespace flyball {

struct PlatformSpec;
struct RewardWeights;

/// Something observed: a row of the monitor table. Everything in an observation that an agent may
/// read is in the table, so that whoever shows, records or exports it goes through the table and
/// knows no single monitor. A new monitor is a field of Observation, ClusterObservation or
/// AppObservation and its line in monitor_fields.h.
struct Monitor {
  enum class Direction : std::uint8_t { kLowerIsBetter, kHigherIsBetter, kNeither };
  enum class Scope : std::uint8_t { kPlatform, kCluster, kApp };
  /// What the reward charges for it (reward.h), but for what only informs.
  enum class Charge : std::uint8_t {
    kNone,
    kTotalEnergy,   ///< what is nobody's of it
    kPower,         ///< above the strictest power budget
    kHeat,          ///< above the limit
    kEnergy,        ///< of an application
    kMiss,          ///< each is a miss
    kForgiven,      ///< each is one less
    kShortfall,     ///< of accuracy, below the floor
    kOverBudget,    ///< of energy
    kAccuracyLost,  ///< below the best, where that is wanted
    kLatency,       ///< where a low one is wanted
    kUndesired,     ///< by the application, of what it measures itself
  };
  enum class Type : std::uint8_t { kF64, kI64, kU64, kU32, kI32, kU8, kI16, kBool, kDerived };

  std::string name;    ///< "power", "A15.temp", "camera.latency"
  std::string unit;    ///< "mW", "C", "ms"
  Direction direction = Direction::kNeither;
  Scope scope = Scope::kPlatform;
  Type type = Type::kF64;
  std::uint16_t index = 0;   ///< cluster or slot
  std::uint16_t offset = 0;  ///< in the struct of its scope
  double scale = 1;          ///< from what is stored there to `unit`
  double resolution = 0;     ///< in `unit`; what is recorded is a multiple of it; 0: exact
  double desired_min = 0, desired_max = 0;  ///< as asked for when the table was made
  Charge charge = Charge::kNone;
  double weight = 0;  ///< in the reward, of one beyond what is desired; 0 for what only informs
  std::uint8_t counter = 0;  ///< bit of Counters::valid that it needs; 0: none
  std::uint8_t sensor = 0;   ///< bit of Sensed that it comes from; of an application's the platform's; 0: none
  bool shown = true;         ///< of interest to people; the others only complete the record
  bool measured = false;     ///< false: modelled
  double (*derive)(const void*) = nullptr;  ///< kDerived: from the struct of its scope
};

/// One value of a monitor with its stamp.
struct Reading {
  enum class State : std::uint8_t {
    kOfEpoch,  ///< read in it, or for a sensor that is slower than the epochs, as lately as it tells
    kHeld,     ///< from before
    kAbsent,
  };
  double value = 0;  ///< NaN when not valid
  bool valid = true;  ///< false: absent, or a count that was held over, which nobody counts twice
  State state = State::kOfEpoch;
  std::int64_t stamp_ns = 0;  ///< monotonic
  std::uint64_t sequence = 0;
};

/// All monitors of a platform, in a fixed order: the platform's, then each cluster's, then those of
/// each slot that is bound. Rows are added when an application binds; the ones before stay.
class MonitorTable {
 public:
  /// `measured` says which of the monitors of platform and clusters come from sensors, by the name
  /// that they have without the cluster's ("temp"); "counters" are all performance counters.
  MonitorTable(const PlatformSpec& platform, const RewardWeights& weights,
               const std::vector<std::string>& measured = {});
  /// Adds the rows of a slot; allocates. A slot that was bound before is bound anew. The strictest
  /// power budget is the limit of the platform's power.
  void bind(int slot, const Binding& binding, const Requirements& required);
  /// Takes them away.
  void unbind(int slot);

  const std::vector<Monitor>& rows() const { return rows_; }
  /// nullptr when there is none of that name.
  const Monitor* find(const std::string& name) const;

 private:
  void set_power_budget(int slot, double budget_mw);

  double miss_weight_, accuracy_weight_;
  bool power_measured_ = false;
  std::vector<Monitor> rows_;
  std::array<double, kMaxApps> power_budget_mw_{};  ///< of each slot; 0: none
};

/// What a monitor shows in an observation.
Reading read(const Monitor& monitor, const Observation& observation);
/// The raw number as an integer multiple of the resolution, and back into an observation: what a
/// record keeps. Exact types are kept as they are.
std::int64_t quantised(const Monitor& monitor, const Observation& observation);
void restore(const Monitor& monitor, std::int64_t value, Observation& observation);

/// Something to turn. `values` are in `unit` and in the order of the indices used by `Action`.
struct KnobSpec {
  enum class Kind : std::uint8_t { kFrequency, kMapping, kLevel };
  std::string name;  ///< "A15.freq", "camera.mapping", "camera.level"
  std::string unit;  ///< "kHz", "cores", ""
  Kind kind;
  int index;         ///< cluster of a frequency, slot of a mapping or level
  std::vector<std::string> values;
  std::vector<QualityKnob> own;       ///< of kLevel: the application's own knobs,
  std::vector<DeclaredLevel> levels;  ///< and where they are at each of `values`
};
std::vector<KnobSpec> knobs_of(const PlatformSpec& platform);
/// Mapping and level of a slot.
std::vector<KnobSpec> knobs_of(const PlatformSpec& platform, int slot, const Binding& binding);
/// The index that an action gives a knob.
int setting_of(const KnobSpec& knob, const Action& action);

}  // namespace flyball
