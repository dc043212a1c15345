#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "env/ledger/cpu_allocator.h"
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
/// are in the way of its own. It starts at its release, or when the one before it of its application
/// is done, with the setting in force then, and pays for a change of clusters or level first.
///
/// Not for several threads at once, forks included; different simulators are independent.
class Simulator final : public Platform {
 public:
  /// The references outlive the simulator. The scenario must have been made for this platform.
  Simulator(const PlatformSpec& spec, const Scenario& scenario, SimOptions options = {});

  const Binding& binding(int slot) const override {
    return model_.ledger.bindings[static_cast<std::size_t>(slot)];
  }
  void observe(Observation& out) const noexcept override;
  Status apply(const Action& action) noexcept override;
  Status advance(const EpochRequest& request, Observation& out) noexcept override;
  void interrupt() override { interrupted_.store(true, std::memory_order_relaxed); }
  std::vector<KnobSetting> capture() const override;
  std::vector<KnobOutcome> restore(const std::vector<KnobSetting>& settings) override;

  const SimModel& model() const { return model_; }
  /// The state as it is now, to be played on with step(): the true future, so for the oracle only.
  /// Whoever plans forks a simulator made from its belief.
  void fork(SimState& out) const { copy_state(state_, out, model_.apps); }
  void fork(const SimState& from, SimState& out) const { copy_state(from, out, model_.apps); }
  /// Applies an action to a forked state and lets an epoch of it pass. Records of jobs that end go to
  /// `ended` when there is one.
  Status step(SimState& state, const Action& action, const EpochRequest& request,
              Observation* ended = nullptr) const;
  /// What a state shows.
  void observe(const SimState& state, std::int64_t epoch_ns, Observation& out) const;

 private:
  void clear_epoch(SimState& state) const;

  SimModel model_;
  mutable SimCache cache_;
  SimState state_;
  Engine engine_;  ///< of state_
  std::atomic<bool> interrupted_{false};
};

}  // namespace flyball
