#pragma once

#include "agents/arm_learner.h"
#include "agents/linear_cost.h"

namespace flyball {

/// LinUCB (Li, Chu, Langford and Schapire, "A contextual-bandit approach to personalized news article
/// recommendation", WWW 2010), for costs: the arm whose expected cost less kWidth standard deviations
/// is least. Ridge regression starts from what is believed and not from 0.
class LinUcb final : public ArmLearner {
 public:
  static constexpr const char* kName = "linucb";
  static constexpr double kWidth = 1;

  LinUcb(const LinearPrior& prior, int) : linear_(prior) {}
  double cost(const ArmState&, const Arm& arm) const override { return linear_.cost(arm); }
  Choice choose(const ArmState&, std::span<const Arm> arms, int greedy, Random&,
                std::span<double>) override {
    return {optimistic(linear_, arms, greedy)};
  }
  void learn(const Outcome& outcome) override {
    if (!outcome.disturbed) linear_.learn(outcome.arm, outcome.cost, outcome.noise);
  }
  void ablate(Ablation how, Random& random) override { linear_.ablate(how, random); }
  void save(ByteWriter& out) const override { linear_.save(out); }
  void load(ByteReader& in) override { linear_.load(in); }

  static int optimistic(const LinearCost& linear, std::span<const Arm> arms, int greedy) {
    return least_bound(arms, greedy, [&](const Arm& arm) {
      return linear.charged(arm) - kWidth * linear.deviation(arm);
    });
  }

 private:
  LinearCost linear_;
};

}  // namespace flyball
