#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "agents/linear_cost.h"
#include "agents/linucb.h"

namespace flyball {

/// A mixture of experts (Jacobs, Jordan, Nowlan and Hinton, 1991) with a gate that is known: of the
/// regimes of other load, each has a linear model of its own, so that what other programs take is not
/// mistaken for a job's. An expert explores as LinUCB does until kCalm decisions in a row found nothing
/// worth a trial. It is frozen then: it neither learns nor tries, and only watches; when jobs cost what
/// it does not expect for several in a row, it thaws. One that is called for the first time begins as
/// the one that has learned from most jobs, and as unsure as at first.
class Mixture final : public ArmLearner {
 public:
  static constexpr const char* kName = "mixture";
  static constexpr std::uint32_t kCalm = 20;
  static constexpr double kThaws = 1.5;  ///< deviations in the mean of the last jobs

  Mixture(const LinearPrior& prior, int) : expert_{Expert(prior), Expert(prior), Expert(prior)} {}

  double cost(const ArmState& state, const Arm& arm) const override {
    return of(state).linear.cost(arm);
  }
  Choice choose(const ArmState& state, std::span<const Arm> arms, int greedy, Random&,
                std::span<double>) override {
    Expert& expert = expert_[static_cast<std::size_t>(state.regime)];
    if (expert.jobs == 0) begin(expert);
    if (expert.frozen()) return {greedy};
    const int chosen = LinUcb::optimistic(expert.linear, arms, greedy);
    expert.calm = chosen == greedy && expert.jobs > 0 ? expert.calm + 1 : 0;
    return {chosen};
  }
  void learn(const Outcome& outcome) override {
    // Quiet stretches are not to have anything else in them; of the others that is what they are about.
    if (outcome.disturbed && outcome.state.regime == 0) return;
    Expert& expert = expert_[static_cast<std::size_t>(outcome.state.regime)];
    if (expert.jobs == 0) begin(expert);
    ++expert.jobs;
    if (!expert.frozen()) {
      expert.linear.learn(outcome.arm, outcome.cost, outcome.noise);
      return;
    }
    expert.linear.watch(outcome.arm, outcome.cost, outcome.noise);
    if (std::abs(expert.linear.surprise()) < kThaws) return;
    expert.linear.widen();
    expert.calm = 0;
  }
  bool frozen(int regime) const { return expert_[static_cast<std::size_t>(regime)].frozen(); }

  void ablate(Ablation how, Random& random) override {
    for (Expert& expert : expert_) expert.linear.ablate(how, random);
  }
  void save(ByteWriter& out) const override {
    for (const Expert& expert : expert_) {
      expert.linear.save(out);
      out.u32(expert.jobs);
      out.u32(expert.calm);
    }
  }
  void load(ByteReader& in) override {
    for (Expert& expert : expert_) {
      expert.linear.load(in);
      expert.jobs = in.u32();
      expert.calm = in.u32();
    }
  }

 private:
  struct Expert {
    explicit Expert(const LinearPrior& prior) : linear(prior) {}
    bool frozen() const { return calm >= kCalm; }
    LinearCost linear;
    std::uint32_t jobs = 0;
    std::uint32_t calm = 0;  ///< decisions in a row without a trial
  };
  const Expert& most_learned() const {
    return *std::max_element(expert_.begin(), expert_.end(),
                             [](const Expert& a, const Expert& b) { return a.jobs < b.jobs; });
  }
  /// Who has learned nothing yet decides as the one that has.
  const Expert& of(const ArmState& state) const {
    const Expert& own = expert_[static_cast<std::size_t>(state.regime)];
    return own.jobs > 0 ? own : most_learned();
  }
  void begin(Expert& expert) {
    const Expert& teacher = most_learned();
    if (teacher.jobs == 0) return;
    expert.linear = teacher.linear;
    expert.linear.widen();
    expert.calm = 0;
  }

  std::array<Expert, kLoadRegimes> expert_;
};

}  // namespace flyball
