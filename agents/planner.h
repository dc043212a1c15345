#pragma once

#include "agents/q_learning.h"

namespace flyball {

/// Plans with the belief of the board as jobs correct it, and tries what promises more than it costs.
class Planner final : public QLearning {
 public:
  explicit Planner(const AgentContext& context) : QLearning(context, Kind::kPlanner) {}
  std::string_view name() const override { return "planner"; }
};

}  // namespace flyball
