#pragma once

#include <atomic>
#include <vector>

#include "agents/agent.h"
#include "env/platform.h"
#include "env/spaces/reward.h"
#include "governor/loop/control_loop.h"
#include "governor/loop/shield.h"
#include "governor/metrics/metrics.h"

namespace flyball {

/// The reward's weights by what is believed of a platform: the reference job is one of its first
/// application that has jobs, the temperature limit the lowest passive trip point less 5 K.
RewardWeights reward_weights(const Belief& belief);

struct SessionOptions {
  const PlatformSpec* truth = nullptr;  ///< see MetricsSink
  Shield::Options shield;               ///< `guard` is set from what the agent is: see shield_options
  std::vector<EpochSink*> sinks{};  ///< recorder, display; called in this order, after the metrics
  /// They measure, as the metrics do: faulty sensors (Platform::truth) do not fool them.
  std::vector<EpochSink*> measuring{};
  const std::atomic<bool>* stop =
      nullptr;  ///< looked at after every epoch; true interrupts the platform
};

struct SessionResult {
  Status status = Status::kFinished;
  Metrics metrics;
};

/// What the shield does for it, of what `options` allow: an agent that asks for it (Agent::guarded) is
/// guarded, any other is only clamped.
Shield::Options shield_options(const Agent& agent, Shield::Options options = {});

/// Runs `agent` on `platform` from where the platform stands until the scenario ends: one stream
/// under one policy.
SessionResult run_session(Platform& platform, const Belief& belief, Agent& agent,
                          const RewardWeights& weights, const SessionOptions& options = {});

}  // namespace flyball
