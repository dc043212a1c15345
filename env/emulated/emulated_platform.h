#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "env/emulated/counter_factory.h"
#include "env/emulated/job_engine.h"
#include "env/model/platform_spec.h"
#include "env/platform.h"
#include "env/scenario/scenario.h"

namespace flyball {

struct EmulatedOptions {
  std::uint64_t seed = 1;  ///< of the arrivals and of the variation of the work
  std::int64_t inference_ns =
      0;  ///< time of one inference at full width on one core; 0: measure it first (0.4 s)
  /// Read by the thread that runs jobs, before and after each; null: there are none.
  CounterFactory counters;
};

/// This very machine with emulated operating points. What is real: the jobs, the threads, the
/// clock, the competition of background load for cores and memory. What is emulated: an operating
/// point (OPP) is a duty cycle that slows the workers to freq / highest freq, so the frequency
/// reported is that of the emulated OPP and not the machine's; power, energy, temperature and
/// throttling follow from the platform file's model, driven by the times that cores were really
/// busy. Nothing else is pretended.
///
/// Jobs of all applications are serialised on the worker pool: earliest deadline first, then the
/// higher priority, then the earlier release; within an application in order of release; a job that
/// runs is not preempted. A job is a whole number of inferences, so many that it takes about as
/// long as the platform file's job; the variation of the work from job to job, too, is rounded to
/// whole inferences, and vanishes where a job is only one or two of them.
///
/// Threads: the caller's is the control thread. A machine thread keeps the time: it releases jobs,
/// turns knobs after their latency, integrates power and closes epochs, whatever the control thread
/// does meanwhile. An executor thread is the only caller of JobEngine::run. Background load has
/// threads of its own while it lasts. The control thread exchanges values with them without locks
/// and waits at a futex, until the epoch's end at the latest.
///
/// The clock starts with the first apply() or advance().
class EmulatedPlatform final : public Platform {
 public:
  /// `spec`, `scenario` and `engine` outlive the platform. Throws Error (kInput) for what this
  /// machine cannot play (a GPU cluster), Error (kFailure) when no thread can be started or the
  /// engine fails while it is measured.
  EmulatedPlatform(const PlatformSpec& spec, const Scenario& scenario, JobEngine& engine,
                   const EmulatedOptions& options = {});
  /// Waits for the inference that runs, at full speed, then for the threads. Leaves no thread and no
  /// changed affinity behind.
  ~EmulatedPlatform() override;

  const Binding& binding(int slot) const override;
  void observe(Observation& out) const noexcept override;
  Status apply(const Action& action) noexcept override;
  Status advance(const EpochRequest& request, Observation& out) noexcept override;
  void interrupt() override;
  std::vector<KnobSetting> capture() const override;
  std::vector<KnobOutcome> restore(const std::vector<KnobSetting>& settings) override;

  /// What one nominal job of an application of the scenario consists of.
  int inferences_per_job(int app) const;
  /// Time of one inference at full width on one core at full speed, as given or measured.
  std::int64_t inference_ns() const;
  /// What the counters are measured by, in one line; empty when there are none. Allocates.
  std::string counters() const;
  /// What did not go as asked, one line each, for the end of a run; empty when all went well.
  /// Allocates.
  std::vector<std::string> notes() const;
  /// Jobs were released so late that notes() has it: what was measured is not of the jobs alone.
  bool ran_late() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace flyball
