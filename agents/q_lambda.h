#pragma once

#include "agents/td_arms.h"

namespace flyball {

/// Watkins's Q(lambda) (Watkins, "Learning from delayed rewards", 1989, chapter 7; Sutton and Barto,
/// 12.10), off-policy: what comes of a job is the least cost-to-go behind it, whatever was chosen.
/// Eligibility traces carry an error back over the jobs before, as far as these were coupled to each
/// other and no trial lies between.
class QLambda final : public TdArms {
 public:
  static constexpr const char* kName = "q_lambda";
  static constexpr double kLambda = 0.8;

  QLambda(const LinearPrior& prior, int) : TdArms(prior) {}
  void learn(const Outcome& outcome) override {
    take(outcome);
    if (!outcome.state.coupled || outcome.explored) trace_ = {};
    if (!outcome.state.coupled) return;
    for (int i = 0; i < size(); ++i) trace_[i] = kDiscount * kLambda * trace_[i] + outcome.arm.x[i];
    const double least = std::min(to_go(outcome.next_state, outcome.best_next),
                                  to_go(outcome.next_state, outcome.next));
    move(later_, trace_, step(outcome.arm) * (least - later(outcome.arm)), trace_);
  }
  void load(ByteReader& in) override {
    TdArms::load(in);
    trace_ = {};
  }

 private:
  Arm::Features trace_{};
};

}  // namespace flyball
