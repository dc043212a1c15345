#pragma once

#include "agents/td_arms.h"

namespace flyball {

/// Semi-gradient Sarsa (Rummery and Niranjan, 1994; Sutton and Barto, "Reinforcement learning", 2nd
/// edition, 10.1), on-policy: what comes of a job is the cost-to-go of the arm that was chosen behind
/// it, trials included.
class Sarsa final : public TdArms {
 public:
  static constexpr const char* kName = "sarsa";

  Sarsa(const LinearPrior& prior, int) : TdArms(prior) {}
  void learn(const Outcome& outcome) override {
    take(outcome);
    if (!outcome.state.coupled) return;
    const double error = to_go(outcome.next_state, outcome.next) - later(outcome.arm);
    move(later_, outcome.arm.x, step(outcome.arm) * error, outcome.arm.x);
  }
};

}  // namespace flyball
