#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "agents/agent.h"
#include "env/platform.h"
#include "env/spaces/decision.h"
#include "env/spaces/reward.h"
#include "governor/loop/shield.h"

namespace flyball {

/// All that happened in one epoch, by reference; valid during the call only.
struct EpochEvent {
  const Observation& before;  ///< what the agent decided on
  const Decision& decided;    ///< with the probability of what was applied
  const Action& applied;      ///< after the shield
  Shield::Verdict verdict;
  const Observation& outcome;  ///< at the end of the epoch, its finished jobs included
  const Reward& reward;
  std::int64_t decide_ns;  ///< real time that decide() took
};

/// Listens to the loop: recorder, metrics, display. on_epoch() must not allocate, lock or throw.
class EpochSink {
 public:
  virtual ~EpochSink() = default;
  /// An application has taken a slot; before the epoch in which it is seen first. May allocate.
  virtual void on_bind(int slot, const Binding& binding, const Observation& now) {
    (void)slot, (void)binding, (void)now;
  }
  virtual void on_unbind(int slot) { (void)slot; }
  virtual void on_epoch(const EpochEvent& event) noexcept = 0;
};

/// The knobs as the platform found them.
Action setting_in_force(const Observation& now);

/// The control loop, the only one: observe -> decide -> shield -> actuate -> (the epoch passes) ->
/// learn -> record. Drives simulated, emulated and Linux platforms alike. Applications that come and
/// go between two epochs are told to the agent, the shield and the sinks before the next decision.
class ControlLoop {
 public:
  ControlLoop(Platform& platform, Agent& agent, Shield& shield, const RewardWeights& weights)
      : platform_(platform), agent_(agent), shield_(shield), weights_(weights) {}
  void add_sink(EpochSink& sink) { sinks_.push_back(&sink); }
  /// Until the scenario ends (kFinished), the platform is interrupted or a device is lost. Then the
  /// fastest safe setting has been asked for, and what had happened of the epoch is told.
  Status run();

 private:
  void follow_roster(const Observation& now);
  float executed_probability(const Observation& now, const Decision& decided,
                             const Action& applied) const;

  Platform& platform_;
  Agent& agent_;
  Shield& shield_;
  RewardWeights weights_;
  std::vector<EpochSink*> sinks_;
  std::uint32_t roster_version_ = ~0u;
  std::array<std::uint32_t, kMaxApps> generation_{};
};

}  // namespace flyball
