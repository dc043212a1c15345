#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "env/spaces/action.h"
#include "env/spaces/observation.h"

namespace flyball {

struct PlatformSpec;
struct Scenario;

/// When an epoch ends: after `interval_ns`, or earlier, right after the release of a job, when
/// `stop_at_release`, or right after one has finished, when `stop_at_finish`. A job that waits then
/// starts with the next apply() in simulation; on a real machine it has started already.
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

/// Knows the true state and what disturbs it: only the oracle may use it, and only simulation has
/// it.
class Foresight {
 public:
  virtual ~Foresight() = default;
  struct Outcome {
    std::int64_t finish_ns = 0;  ///< of the job that is next to start for this application
    /// Platform energy from now to the job's deadline (or its finish if later), idle included, the
    /// application's later jobs left out.
    double energy_mj = 0;
    bool meets_deadline = false;
  };
  /// What would happen if `action` were applied now and kept. Does not change the platform.
  virtual Outcome preview(const Action& action, int app) const = 0;
  /// The times of an application's next releases, ascending, as far as `out` has room; how many.
  /// Changes of the period that are still to come are not foreseen.
  virtual std::size_t next_releases(int app, std::span<std::int64_t> out_ns) const = 0;
};

/// What the control loop drives: simulated, emulated or a Linux machine. Neither call allocates or
/// throws.
class Platform {
 public:
  virtual ~Platform() = default;
  virtual const PlatformSpec& spec() const = 0;
  virtual const Scenario& scenario() const = 0;
  /// The state before the first epoch: nothing has run, knobs as the platform found them.
  virtual void observe(Observation& out) const = 0;
  /// Turns the knobs that differ from their setting. Frequencies follow after the transition
  /// latency, mapping and width with the application's next job.
  virtual Status apply(const Action& action) = 0;
  /// Lets an epoch pass and fills `out`.
  virtual Status advance(const EpochRequest& request, Observation& out) = 0;
  /// nullptr where the future is not known.
  virtual const Foresight* foresight() const { return nullptr; }
  /// Another thread or a signal handler asks `advance` to return soon with kInterrupted.
  virtual void interrupt() = 0;
};

}  // namespace flyball
