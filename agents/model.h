#pragma once

#include "agents/q_learning.h"

namespace flyball {

/// What the Q-learner does before it has learned anything, as a policy of its own: for each job the
/// mapping, and while it runs the clocks, that the belief says cost least energy and are safe, with
/// work and slowdown as the job tracker sees them, and the speed-up within a job. It keeps nothing
/// from run to run. Whatever learns has to beat it where the belief is wrong and equal it where it is
/// right.
class ModelPolicy final : public QLearning {
 public:
  explicit ModelPolicy(const AgentContext& context) : QLearning(context, Kind::kModel) {}
  std::string_view name() const override { return "model"; }
  void set_learning(bool) override {}
  bool learns() const override { return false; }
  /// As what learns is, so that the two differ in the learning alone.
  bool guarded() const override { return true; }
  void save(ByteWriter&) const override {}
  std::size_t saved_bytes() const override { return 0; }
  std::vector<std::string> load(const std::vector<std::uint8_t>&, bool) override { return {}; }
};

}  // namespace flyball
