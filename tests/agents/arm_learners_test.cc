// The update rules, by hand, and what they are worth on a problem whose answer is known.

#include <gtest/gtest.h>

#include <cmath>

#include "agents/job_bandit.h"
#include "agents/linucb.h"
#include "agents/mixture.h"
#include "agents/q_lambda.h"
#include "agents/sarsa.h"
#include "agents/thompson.h"
#include "agents/ucb.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

const LinearPrior kBoard = LinearPrior::of_board(1);  // two kinds of energy, two of context

Arm arm(int mapping, double switching, double leaking) {
  Arm one;
  one.mapping = mapping;
  one.units = 1u << mapping;
  one.believed = switching + leaking;
  one.x = {switching, leaking};
  return one;
}

const Arm kA = arm(0, 1, 0), kB = arm(1, 0, 1);

ArmLearner::Outcome outcome(const Arm& of, double cost, const ArmState& state = {}) {
  return {
      .state = state, .arm = of, .cost = cost, .next_state = state, .next = of, .best_next = of};
}

int choose(ArmLearner& learner, std::vector<Arm> arms, int greedy, const ArmState& state = {},
           std::uint64_t seed = 1) {
  Random random(seed);
  std::vector<double> chance(arms.size());
  return learner.choose(state, arms, greedy, random, chance).arm;
}

TEST(LinUcb, OneJobByHand) {
  LinUcb learner(kBoard, 2);
  // 0.5 below what is expected, with a variance of 0.6^2 and noise of 0.03^2.
  learner.learn(outcome(kA, 0.5));
  EXPECT_NEAR(learner.cost({}, kA), 1 - 0.5 * 0.36 / 0.3609, 1e-12);
  EXPECT_DOUBLE_EQ(learner.cost({}, kB), 1) << "nothing is known of the other";
  // B's bound is 1 - 0.6 = 0.40, below the 0.50 - 0.03 of A.
  EXPECT_EQ(choose(learner, {kA, kB}, 0), 1);
  // Twice as dear, 2 - 1.2 = 0.80: not worth a trial.
  EXPECT_EQ(choose(learner, {kA, arm(1, 0, 2)}, 0), 0);
}

TEST(LinUcb, WhatIsDisturbedOrLateCountsLessOrNothing) {
  LinUcb clean(kBoard, 2), late(kBoard, 2), disturbed(kBoard, 2);
  ArmLearner::Outcome one = outcome(kA, 0.5);
  clean.learn(one);
  one.noise = 0.6;
  late.learn(one);
  EXPECT_NEAR(late.cost({}, kA), 1 - 0.5 * 0.36 / (0.36 + 0.0009 + 0.36), 1e-12);
  one.disturbed = true;
  disturbed.learn(one);
  EXPECT_EQ(disturbed.cost({}, kA), 1);
}

TEST(NormalInverseGamma, OneJobByHand) {
  NormalInverseGamma belief(kBoard);
  EXPECT_NEAR(belief.noise_variance(), 0.0009, 1e-12);
  EXPECT_NEAR(belief.variance(kA.x), 0.36, 1e-9);
  belief.learn(kA.x, 0.5, 0);
  // V = 400, so x V x + 1 = 401; b = 2 * 0.0009 + 0.5^2 / (2 * 401), a = 3 + 1/2.
  EXPECT_NEAR(belief.value(kA.x), 1 - 0.5 * 400 / 401, 1e-9);
  EXPECT_DOUBLE_EQ(belief.shape(), 3.5);
  EXPECT_NEAR(belief.noise_variance(), (0.0018 + 0.25 / 802) / 2.5, 1e-12);
  EXPECT_NEAR(belief.variance(kA.x), belief.noise_variance() * 400 / 401, 1e-12);
}

TEST(NormalInverseGamma, DrawsAreOfThePosterior) {
  NormalInverseGamma belief(kBoard);
  for (int i = 0; i < 60; ++i) belief.learn({1, 1}, 1.5 + (i % 2 == 0 ? 0.02 : -0.02), 0);
  Random random(3);
  constexpr int kDraws = 20'000;
  double sum[2] = {}, squares[2] = {};
  for (int i = 0; i < kDraws; ++i) {
    const auto drawn = belief.draw(random);
    // The sum is known well, the difference as badly as before.
    const double value[2] = {drawn[0] + drawn[1], drawn[0] - drawn[1]};
    for (int k = 0; k < 2; ++k) sum[k] += value[k], squares[k] += value[k] * value[k];
  }
  const Arm::Features x[2] = {{1, 1}, {1, -1}};
  for (int k = 0; k < 2; ++k) {
    const double mean = sum[k] / kDraws, variance = squares[k] / kDraws - mean * mean;
    EXPECT_NEAR(mean, belief.value(x[k]), 5 * std::sqrt(belief.variance(x[k]) / kDraws));
    EXPECT_NEAR(variance / belief.variance(x[k]), 1, 0.1);
  }
}

TEST(Ucb, TwoJobsByHand) {
  Ucb learner({}, 2);
  const Arm a = arm(0, 1, 0), b = arm(1, 0, 1.2);
  learner.learn(outcome(a, 1.5));
  learner.learn(outcome(a, 1.3));
  EXPECT_NEAR(learner.off(a), 0.4, 1e-12);
  EXPECT_NEAR(learner.off(b), 0.4, 1e-12) << "of what was never used: what all have in common";
  EXPECT_NEAR(learner.count(a), Ucb::kFirstCount + 2, 1e-12);
  EXPECT_NEAR(learner.width(a, 98), Ucb::kWidth * std::sqrt(std::log(100) / 2.05), 1e-9);
  EXPECT_NEAR(learner.width(b, 98), 1.2 * Ucb::kWidth * std::sqrt(std::log(100) / 0.05), 1e-9);
  EXPECT_EQ(choose(learner, {a, b}, 0, {.jobs = 98}), 1) << "1.6 less 0.69 is below 1.4 less 0.09";
  // Another mapping of the same clusters takes part in what they were found to be off, and in a third
  // of what is left to it: (1 * own + 2 * clusters) / 3.
  Arm same_units = arm(1, 1, 0);
  same_units.units = a.units;
  learner.learn(outcome(same_units, 2));  // off 1: the clusters' mean is (0.5 + 0.3 + 1) / 3 = 0.6
  EXPECT_NEAR(learner.off(same_units), (1 + 2 * 0.6) / 3, 1e-6);
}

TEST(Sarsa, TwoJobsByHand) {
  Sarsa learner(kBoard, 2);
  const auto step = [](int job) { return 0.5 / (1 + job / 20.0); };
  learner.learn(outcome(kA, 0.5));
  const double now = 1 - 0.5 * step(1);
  EXPECT_NEAR(learner.cost({}, kA), now, 1e-5);
  EXPECT_NEAR(learner.cost({.coupled = true}, kA), now, 1e-5) << "nothing is known of what follows";
  // A coupled job of A, charged as expected, with B behind it: what follows costs 1.
  ArmLearner::Outcome coupled = outcome(kA, learner.cost({}, kA), {.coupled = true});
  learner.learn({coupled.state, kA, coupled.cost, 0, false, false, coupled.state, kB, kA});
  EXPECT_NEAR(learner.cost({}, kA), now, 1e-5);
  EXPECT_NEAR(learner.cost({.coupled = true}, kA), now + TdArms::kDiscount * step(2), 1e-5);
  EXPECT_NEAR(learner.cost({.coupled = true}, kB), 1, 1e-12);
}

TEST(QLambda, TracesByHandAndCutByTrials) {
  const ArmState coupled{.coupled = true};
  const auto step = [](int job) { return 0.5 / (1 + job / 20.0); };
  for (const bool explored : {false, true}) {
    QLambda learner(kBoard, 2);
    // A as expected; behind it B was chosen, and is the best.
    learner.learn({coupled, kA, 1, 0, false, false, coupled, kB, kB});
    const double later_a = step(1);
    EXPECT_NEAR(learner.cost(coupled, kA), 1 + 0.9 * later_a, 1e-5);
    // B as expected; behind it A, which costs 1 + 0.9 later(A). The trace is (0.72, 1), or (0, 1)
    // when B was a trial.
    learner.learn({coupled, kB, 1, 0, false, explored, coupled, kA, kA});
    const double error = 1 + 0.9 * later_a, trace = explored ? 0 : 0.72;
    const double move = step(1) * error / (1 + trace * trace);
    EXPECT_NEAR(learner.cost(coupled, kB), 1 + 0.9 * move, 1e-5);
    EXPECT_NEAR(learner.cost(coupled, kA), 1 + 0.9 * (later_a + trace * move), 1e-5);
  }
}

TEST(QLambda, TakesTheBestWhereSarsaTakesWhatWasChosen) {
  const ArmState coupled{.coupled = true};
  const Arm dear = arm(1, 0, 3);
  QLambda off_policy(kBoard, 2);
  Sarsa on_policy(kBoard, 2);
  for (ArmLearner* learner :
       {static_cast<ArmLearner*>(&off_policy), static_cast<ArmLearner*>(&on_policy)}) {
    learner->learn({coupled, kA, 1, 0, false, false, coupled, dear, kA});
  }
  EXPECT_LT(off_policy.cost(coupled, kA), on_policy.cost(coupled, kA));
}

TEST(TdArms, EpsilonFallsWithTheJobsOnAClusterAndProbabilitiesSumToOne) {
  Sarsa learner(kBoard, 2);
  std::vector<double> chance(2);
  Random random(1);
  const std::vector<Arm> arms{kA, kB};
  learner.choose({}, arms, 0, random, chance);
  EXPECT_DOUBLE_EQ(chance[1], TdArms::kEpsilon);
  EXPECT_DOUBLE_EQ(chance[0] + chance[1], 1);
  learner.learn(outcome(kB, 1));
  chance = {0, 0};
  learner.choose({}, arms, 0, random, chance);
  EXPECT_DOUBLE_EQ(chance[1], TdArms::kEpsilon / 2);
}

TEST(Mixture, FreezesWhenNothingIsWorthATrialAndThawsOnChange) {
  Mixture learner(kBoard, 2);
  const std::vector<Arm> arms{kA, arm(1, 0, 3)};
  for (std::uint32_t i = 0; i < Mixture::kCalm; ++i) {
    EXPECT_FALSE(learner.frozen(0));
    learner.learn(outcome(kA, 1));
    EXPECT_EQ(choose(learner, arms, 0), 0);
  }
  ASSERT_TRUE(learner.frozen(0));
  EXPECT_FALSE(learner.frozen(1));
  const double before = learner.cost({}, kA);
  learner.learn(outcome(kA, 1.01));
  EXPECT_EQ(learner.cost({}, kA), before) << "frozen";
  for (int i = 0; i < 20; ++i) learner.learn(outcome(kA, 1.5));
  EXPECT_FALSE(learner.frozen(0));
  EXPECT_NEAR(learner.cost({}, kA), 1.5, 0.1) << "it has learned again";
}

TEST(Mixture, ARegimeThatIsNewBeginsAsTheOneThatKnows) {
  Mixture learner(kBoard, 2);
  for (int i = 0; i < 10; ++i) learner.learn(outcome(kA, 0.5));
  EXPECT_NEAR(learner.cost({.regime = 2}, kA), 0.5, 0.05);
  for (int i = 0; i < 10; ++i) learner.learn(outcome(kA, 2, {.regime = 2}));
  EXPECT_GT(learner.cost({.regime = 2}, kA), 0.9);
  EXPECT_NEAR(learner.cost({}, kA), 0.5, 0.05) << "the other one is as it was";
}

/// Twelve arms of two clusters whose energy is a wrong belief times factors.
struct Problem {
  static constexpr int kArms = 12;
  LinearPrior prior = LinearPrior::of_board(2);
  std::array<double, 4> factor{2.2, 1.4, 0.5, 0.6};
  std::vector<Arm> arms;
  Problem() {
    Random random(7);
    for (int m = 0; m < kArms; ++m) {
      Arm one;
      one.mapping = m;
      one.units = m < 6 ? 1 : 2;
      const std::size_t first = m < 6 ? 0 : 2;
      one.x[first] = random.uniform(0.2, 0.5) + (m < 6 ? 0 : 0.25);
      one.x[first + 1] = random.uniform(0.05, 0.3);
      one.x[4] = 1;
      one.believed = one.x[first] + one.x[first + 1];
      arms.push_back(one);
    }
  }
  double cost(int m) const {
    double sum = 0;
    for (std::size_t i = 0; i < 4; ++i) sum += factor[i] * arms[static_cast<std::size_t>(m)].x[i];
    return sum;
  }
  /// Cumulative regret after each of the pulls.
  std::vector<double> regret(ArmLearner& learner, int pulls, std::uint64_t seed) const {
    Random random(seed);
    std::vector<double> all, chance(kArms);
    double best = 1e9, sum = 0;
    for (int m = 0; m < kArms; ++m) best = std::min(best, cost(m));
    for (int t = 0; t < pulls; ++t) {
      const ArmState state{.jobs = static_cast<std::uint64_t>(t)};
      int greedy = 0;
      for (int m = 1; m < kArms; ++m) {
        const auto of = [&](int i) {
          return learner.cost(state, arms[static_cast<std::size_t>(i)]);
        };
        if (of(m) < of(greedy)) greedy = m;
      }
      std::fill(chance.begin(), chance.end(), 0.0);
      const int m = learner.choose(state, arms, greedy, random, chance).arm;
      sum += cost(m) - best;
      all.push_back(sum);
      learner.learn(outcome(arms[static_cast<std::size_t>(m)], cost(m) + 0.02 * random.normal()));
    }
    return all;
  }
};

constexpr const char* kLearners[] = {"ucb", "linucb", "thompson", "sarsa", "q_lambda", "mixture"};

TEST(ArmLearners, RegretIsSublinearAndFarBelowUniform) {
  const Problem problem;
  constexpr int kPulls = 1000;
  const auto uniform = make_arm_learner("random", problem.prior, Problem::kArms);
  const double of_uniform = problem.regret(*uniform, kPulls, 1).back();
  for (const char* name : kLearners) {
    SCOPED_TRACE(name);
    const auto learner = make_arm_learner(name, problem.prior, Problem::kArms);
    const std::vector<double> regret = problem.regret(*learner, kPulls, 1);
    EXPECT_LT(regret.back(), 0.2 * of_uniform);
    // Of a regret that grows in proportion the second half would be as much as the first. A step that
    // has a floor, as Sarsa's, never quite settles.
    const double first_half = regret[kPulls / 2];
    EXPECT_LT(regret.back() - first_half, 0.3 * first_half + 0.02 * of_uniform);
  }
}

TEST(ArmLearners, WhatWasLearnedMattersToTheChoice) {
  const Problem problem;
  for (const char* name : kLearners) {
    SCOPED_TRACE(name);
    const auto learner = make_arm_learner(name, problem.prior, Problem::kArms);
    problem.regret(*learner, 300, 1);
    const auto picked = [&] {
      int best = 0;
      for (int m = 1; m < Problem::kArms; ++m) {
        const auto of = [&](int i) {
          return learner->cost({}, problem.arms[static_cast<std::size_t>(i)]);
        };
        if (of(m) < of(best)) best = m;
      }
      return problem.cost(best);
    };
    const double learned = picked();
    Random random(1);
    learner->ablate(Ablation::kZeroed, random);
    EXPECT_LT(learned, 0.9 * picked());
  }
}

TEST(ArmLearners, SaveAndLoadAndTheSameSeed) {
  const Problem problem;
  for (const char* name : kLearners) {
    SCOPED_TRACE(name);
    const auto saved = [](const ArmLearner& learner) {
      ByteWriter out;
      learner.save(out);
      return out.take();
    };
    const auto a = make_arm_learner(name, problem.prior, Problem::kArms);
    const auto b = make_arm_learner(name, problem.prior, Problem::kArms);
    EXPECT_EQ(problem.regret(*a, 100, 5), problem.regret(*b, 100, 5));
    const std::vector<std::uint8_t> bytes = saved(*a);
    EXPECT_EQ(bytes, saved(*b));
    const auto c = make_arm_learner(name, problem.prior, Problem::kArms);
    EXPECT_NE(bytes, saved(*c));
    ByteReader in(bytes, "bytes");
    c->load(in);
    in.end();
    EXPECT_EQ(bytes, saved(*c));
  }
}

}  // namespace
}  // namespace flyball
