#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "agents/agent.h"
#include "env/platform.h"
#include "env/spaces/reward.h"
#include "governor/loop/shield.h"

namespace flyball {

/// All that happened in one epoch, by reference; valid during the call only.
struct EpochEvent {
  const Observation& before;  ///< what the agent decided on
  const Action& decided;
  const Action& applied;  ///< after the shield
  const Explanation& why;
  Shield::Verdict verdict;
  const Observation& outcome;  ///< at the end of the epoch, its finished jobs included
  RewardParts reward;
  std::int64_t decide_ns;  ///< real time that decide() took
};

/// Listens to the loop: recorder, metrics, display. Must not allocate, lock or throw.
class EpochSink {
 public:
  virtual ~EpochSink() = default;
  virtual void on_epoch(const EpochEvent& event) = 0;
};

/// The control loop, the only one: observe -> decide -> shield -> actuate -> (the epoch passes) ->
/// learn -> record. Drives simulated, emulated and Linux platforms alike.
class ControlLoop {
 public:
  ControlLoop(Platform& platform, Agent& agent, Shield& shield, const RewardWeights& weights)
      : platform_(platform), agent_(agent), shield_(shield), weights_(weights) {}
  void add_sink(EpochSink& sink) { sinks_.push_back(&sink); }
  /// Until the scenario ends (kFinished), the platform is interrupted or a device is lost.
  Status run();

 private:
  Platform& platform_;
  Agent& agent_;
  Shield& shield_;
  RewardWeights weights_;
  std::vector<EpochSink*> sinks_;
};

}  // namespace flyball
