#pragma once

#include <algorithm>

#include "agents/arm_learner.h"

namespace flyball {

/// Any safe arm, each as likely: what choosing is worth, a choice has to show against this.
class RandomArms final : public ArmLearner {
 public:
  static constexpr const char* kName = "random";

  RandomArms(const LinearPrior&, int) {}
  double cost(const ArmState&, const Arm& arm) const override { return arm.believed; }
  Choice choose(const ArmState&, std::span<const Arm> arms, int, Random& random,
                std::span<double> chance) override {
    const auto count = static_cast<std::uint32_t>(arms.size());
    std::fill(chance.begin(), chance.end(), 1.0 / count);
    return {static_cast<int>(random.below(count)), Draw::kKnown};
  }
  bool frugal() const override { return false; }
  void learn(const Outcome&) override {}
  void ablate(Ablation, Random&) override {}
  void save(ByteWriter&) const override {}
  void load(ByteReader&) override {}
};

}  // namespace flyball
