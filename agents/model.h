#pragma once

#include "agents/q_learning.h"

namespace flyball {

/// What the Q-learner does before it has learned anything, as a policy of its own: for each job the
/// mapping, and while it runs the clocks, that the belief says cost least energy and are safe, with
/// work and slowdown as the job tracker sees them, and the speed-up within a job. It keeps nothing
/// from run to run. Whatever learns has to beat it where the belief is wrong and equal it where it is
/// right.
class ModelPolicy final : public Agent {
 public:
  explicit ModelPolicy(const AgentContext& context) : core_(context, QLearning::Kind::kModel) {}
  std::string_view name() const override { return "model"; }
  EpochRequest epoch() const override { return core_.epoch(); }
  void bind(int slot, const Binding& binding, const Observation& now) override {
    core_.bind(slot, binding, now);
  }
  void unbind(int slot) override { core_.unbind(slot); }
  void begin_run() override { core_.begin_run(); }
  void end_run() override { core_.end_run(); }
  void decide(const Observation& now, Decision& out) noexcept override { core_.decide(now, out); }
  bool alternatives(const Observation& now, const Decision& decided,
                    DrawnActions& out) const override {
    return core_.alternatives(now, decided, out);
  }
  void replaced(const Observation& now, const Action& decided,
                const Action& applied) noexcept override {
    core_.replaced(now, decided, applied);
  }
  void learn(const Observation& outcome, const Action& applied,
             const Reward& reward) noexcept override {
    core_.learn(outcome, applied, reward);
  }
  /// As what learns is, so that the two differ in the learning alone.
  bool guarded() const override { return true; }

 private:
  QLearning core_;
};

}  // namespace flyball
