#pragma once

#include "agents/q_learning.h"

namespace flyball {

/// Plans with the belief of the board as jobs correct it, and tries what promises more than it costs.
class Planner final : public Agent, public Spoilable {
 public:
  explicit Planner(const AgentContext& context) : core_(context, QLearning::Kind::kPlanner) {}
  std::string_view name() const override { return "planner"; }
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
  void set_learning(bool on) override { core_.set_learning(on); }
  bool learns() const override { return true; }
  void save(ByteWriter& out) const override { core_.save(out); }
  std::size_t saved_bytes() const override { return core_.saved_bytes(); }
  std::vector<std::string> load(const std::vector<std::uint8_t>& payload, bool as_prior) override {
    return core_.load(payload, as_prior);
  }
  void ablate(Ablation how, Random& random) override { core_.ablate(how, random); }

 private:
  QLearning core_;
};

}  // namespace flyball
