#pragma once

#include <atomic>
#include <cstdint>

#include "env/platform.h"
#include "env/sim/engine.h"
#include "env/sim/sim_model.h"
#include "env/sim/sim_state.h"

namespace flyball {

struct SimOptions {
  std::uint64_t seed = 1;  ///< of the arrivals and of the work of the jobs; nothing else is random
  double max_step_ms =
      50;  ///< how long leakage may lag behind temperature; boards take seconds to warm
};

/// A platform that exists as a model. The same seed gives the same releases and the same work under
/// every policy, and the same bytes on every machine.
///
/// A job takes execution_ns() at the frequencies in force, integrated over their changes; longer
/// where a cluster has fewer cores than its jobs and the background want (each gets the same part
/// of what it wants), where the background slows memory, and where another job's accesses to memory
/// are in the way of its own. It starts when the one before it of its application is done, with the
/// setting in force then, and pays for a change of clusters or width first.
///
/// Not for several threads at once, previews included; different simulators are independent.
class Simulator final : public Platform, public Foresight {
 public:
  /// The references outlive the simulator. The scenario must have been made for this platform.
  Simulator(const PlatformSpec& spec, const Scenario& scenario, SimOptions options = {});

  const PlatformSpec& spec() const override { return model_.spec; }
  const Scenario& scenario() const override { return model_.scenario; }
  void observe(Observation& out) const override;
  Status apply(const Action& action) override;
  Status advance(const EpochRequest& request, Observation& out) override;
  const Foresight* foresight() const override { return this; }
  void interrupt() override { interrupted_.store(true, std::memory_order_relaxed); }

  /// Plays the scenario on, with everything else as it is and `action` kept. The job is the first
  /// of the application that starts after now; one that already runs is not affected. Ends 10 min
  /// after now at the latest, as a miss. The energy is that until the deadline, or the scenario's
  /// end where that comes first: nothing after it counts. An application without another job gives {now, 0, true}.
  Outcome preview(const Action& action, int app) const override;
  std::size_t next_releases(int app, std::span<std::int64_t> out_ns) const override;

 private:
  void fill(Observation& out, std::int64_t epoch_ns) const;
  void clear_epoch();

  SimModel model_;
  mutable SimCache cache_;
  SimState state_;
  mutable SimState copy_;  ///< of a preview
  std::uint64_t epochs_ = 0;
  std::atomic<bool> interrupted_{false};
};

}  // namespace flyball
