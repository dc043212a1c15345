#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "env/sim/simulator.h"
#include "env/spaces/reward.h"
#include "tests/agents/tiny_platform.h"

namespace flyball {

/// A policy on a simulated platform: the control loop without a shield.
class ClosedLoop {
 public:
  /// `truth` is the platform and what happens there; what the agent believes it had when it was made.
  ClosedLoop(const TinyWorld& truth, Agent& agent) : ClosedLoop(truth, agent, nullptr) {}
  /// One that believes in the platform as it is.
  ClosedLoop(const TinyWorld& truth, const std::string& policy)
      : ClosedLoop(truth, nullptr, policy) {}

  /// One epoch; false at the end of the scenario. `decided` is told when the agent has, with what it
  /// decided on still in `now`.
  bool step(const std::function<void()>& decided = nullptr) {
    follow_roster();
    decision.reset();
    agent_->decide(now, decision);
    action = decision.action;
    if (decided) decided();
    simulator_.apply(action);
    const bool going = simulator_.advance(agent_->epoch(), now) == Status::kOk;
    if (now.epoch_ns == 0) return going;
    judge(world_.weights, now, reward);
    if (alter) alter(now, reward);
    agent_->learn(now, action, reward);
    for (const JobRecord& job : now.jobs()) {
      ++(job.dropped ? dropped : finished)[job.app];
      missed[job.app] += job.missed;
    }
    return going;
  }
  /// To the scenario's end.
  void all() {
    while (step()) {
    }
    agent_->end_run();
  }

  Observation now;                                   ///< after the last epoch
  Decision decision;                                 ///< that began it
  Action action;                                     ///< that was in force in it
  Reward reward;                                     ///< for it
  std::function<void(Observation&, Reward&)> alter;  ///< before it is learned from
  std::array<int, kMaxApps> finished{}, dropped{}, missed{};

 private:
  ClosedLoop(const TinyWorld& truth, Agent& agent, std::nullptr_t)
      : world_(lasting(truth)),
        simulator_(world_.platform, world_.scenario, {.seed = world_.seed}),
        agent_(&agent) {
    begin();
  }
  ClosedLoop(const TinyWorld& truth, std::nullptr_t, const std::string& policy)
      : world_(lasting(truth)),
        simulator_(world_.platform, world_.scenario, {.seed = world_.seed}),
        own_(world_.make(policy)),
        agent_(own_.get()) {
    begin();
  }
  void begin() {
    simulator_.observe(now);
    agent_->begin_run();
    for (int c = 0; c < now.cluster_count; ++c) decision.action.opp[c] = now.cluster[c].opp;
    for (int a = 0; a < now.app_count; ++a) decision.action.app[a] = now.app[a].setting;
  }
  void follow_roster() {
    for (int a = 0; a < kMaxApps; ++a) {
      const std::uint32_t seen = a < now.app_count ? now.app[a].generation : 0;
      std::uint32_t& known = generation_[static_cast<std::size_t>(a)];
      if (seen == known) continue;
      if (known % 2 == 1) agent_->unbind(a);
      known = seen;
      if (seen % 2 == 1) agent_->bind(a, simulator_.binding(a), now);
    }
  }
  /// Applications that run to the end, where nothing else is said.
  static TinyWorld lasting(TinyWorld world) {
    for (AppSpec& app : world.scenario.apps) {
      if (app.stop_ns == 0) app.stop_ns = world.scenario.duration_ns;
    }
    return world;
  }

  TinyWorld world_;
  Simulator simulator_;
  std::unique_ptr<Agent> own_;
  Agent* agent_;
  std::array<std::uint32_t, kMaxApps> generation_{};
};

}  // namespace flyball
