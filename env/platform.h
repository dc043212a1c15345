#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "env/spaces/action.h"
#include "env/spaces/binding.h"
#include "env/spaces/observation.h"

namespace flyball {

/// When an epoch ends: after `interval_ns`, or earlier, right after the release of a job, when
/// `stop_at_release`, or right after one has finished, when `stop_at_finish`.
///
/// The contract of starts, the same on every platform: a job starts at its release, or when the one
/// before it is done, with the setting that is in force then. What is decided on that event takes
/// effect a decision latency later: frequencies change for the job that runs, mapping and level
/// hold for the next one. An epoch does not end before the action that began it is in force.
struct EpochRequest {
  std::int64_t interval_ns = 50'000'000;
  bool stop_at_release = false;
  bool stop_at_finish = false;
};

/// What a call within an epoch can answer; exceptions are for loading only.
enum class Status : std::uint8_t {
  kOk,
  kFinished,     ///< the scenario is over
  kInterrupted,  ///< asked to stop
  kDeviceLost,   ///< a knob no longer answers
};

/// The value of one knob, by name: "A15.freq" = "1400000", "camera.mapping" = "A15x2".
struct KnobSetting {
  std::string knob;
  std::string value;
  friend bool operator==(const KnobSetting&, const KnobSetting&) = default;
};

/// What became of an attempt to set one knob.
struct KnobOutcome {
  std::string knob;
  std::string asked;
  std::string in_force;  ///< read back: still the one before while a transition takes time
  int error = 0;         ///< errno; 0: none
};

/// What the control loop drives: simulated, emulated or a Linux machine. Of the calls within an
/// epoch (observe, apply, advance) none allocates or throws.
class Platform {
 public:
  virtual ~Platform() = default;
  /// Who has a slot that is bound; valid until the next advance().
  virtual const Binding& binding(int slot) const = 0;
  /// The state before the first epoch: nothing has run, knobs as the platform found them.
  virtual void observe(Observation& out) const noexcept = 0;
  /// What becomes of an action beyond what an agent and its shield make of it: the loop asks before it
  /// applies one, so that what is learned and recorded is what was done.
  virtual void amend(Action&) const noexcept {}
  /// Turns the knobs that differ from their setting. Frequencies follow after the transition
  /// latency, mapping and level with the application's next job. What became of each is in the next
  /// observation (asked, in force, error).
  virtual Status apply(const Action& action) noexcept = 0;
  /// The clusters without CPUs, as bits, that applications which the platform does not know of are on from
  /// now on: by whoever knows, before apply().
  virtual void occupy(unsigned clusters) noexcept { (void)clusters; }
  /// Lets an epoch pass and fills `out`.
  virtual Status advance(const EpochRequest& request, Observation& out) noexcept = 0;
  /// What really was in the epoch that advance() filled in last, where that is something else than what
  /// it shows; nullptr: it shows what was. For whoever measures, never for whoever decides.
  virtual const Observation* truth() const { return nullptr; }
  /// Another thread or a signal handler asks `advance` to return soon with kInterrupted.
  virtual void interrupt() = 0;

  /// The knobs as they are now, as text that can be stored. Allocates.
  virtual std::vector<KnobSetting> capture() const = 0;
  /// Sets them again; one outcome per setting, those that failed with their error. Allocates.
  virtual std::vector<KnobOutcome> restore(const std::vector<KnobSetting>& settings) = 0;
};

}  // namespace flyball
