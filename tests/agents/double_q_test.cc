#include "agents/double_q.h"

#include <gtest/gtest.h>

#include <array>
#include <span>
#include <vector>

#include "kernels/base/error.h"
#include "kernels/base/random.h"

namespace flyball {
namespace {

using Prior = DoubleQ::Prior;
constexpr double kMasked = -1e300;

/// One whose values are penalties only, as numbers.
class Plain {
 public:
  Plain(int states, int actions, DoubleQ::Options options) : q(states, actions, options) {}
  void update(bool first, int state, int action, double prior, double reward, int next,
              std::vector<double> next_prior) {
    q.update(first, state, action, {0, prior}, {0, reward}, next, priors(next_prior), 1);
  }
  double value(int state, int action, double prior) const {
    return q.value(state, action, {0, prior}).penalty;
  }
  int best(int state, std::vector<double> prior) const { return q.best(state, priors(prior), 1); }
  DoubleQ q;

 private:
  static std::vector<Prior> priors(const std::vector<double>& values) {
    std::vector<Prior> all;
    for (double v : values) all.push_back({{0, v}, v == kMasked});
    return all;
  }
};

const std::vector<double> kNoPrior{0, 0};

TEST(DoubleQ, UpdateByHand) {
  Plain q(2, 2, {.discount = 0.5, .step_floor = 0.1, .prior_visits = 1});
  // First visit: step 1 / (1 + 1). A(0,0) = 0 + 0.5 * (4 + 0.5 * 0 - 0) = 2.
  q.update(true, 0, 0, 0, 4, 1, kNoPrior);
  EXPECT_DOUBLE_EQ(q.value(0, 0, 0), 1) << "(A + B) / 2";
  // B(1,1): target 6 + 0.5 * A(0, argmax B(0,.)). B(0,.) is 0 throughout, so action 0: 6 + 0.5 * 2
  // = 7; half of it.
  q.update(false, 1, 1, 0, 6, 0, kNoPrior);
  EXPECT_DOUBLE_EQ(q.value(1, 1, 0), 1.75);
  // A(0,0) again: step 1/3, target 1 + 0.5 * B(1, argmax A(1,.)) = 1 + 0.5 * B(1,0) = 1: A chooses,
  // B tells.
  q.update(true, 0, 0, 0, 1, 1, kNoPrior);
  EXPECT_NEAR(q.value(0, 0, 0), (2 + (1 - 2.0) / 3) / 2, 1e-6);
  EXPECT_EQ(q.q.visits(0, 0), 2u);
}

TEST(DoubleQ, StepHasAFloor) {
  Plain q(1, 1, {.discount = 0, .step_floor = 0.25, .prior_visits = 0});
  for (int i = 0; i < 100; ++i) q.update(true, 0, 0, 0, 8, 0, {});
  EXPECT_NEAR(q.value(0, 0, 0), 4, 1e-6);
  q.update(true, 0, 0, 0, 0, 0, {});
  EXPECT_NEAR(q.value(0, 0, 0), 3, 1e-6);
}

TEST(DoubleQ, PriorDecidesUntilExperienceDoes) {
  Plain q(1, 2, {.discount = 0, .step_floor = 0.1, .prior_visits = 4});
  const std::vector<double> prior{-1, -2};
  EXPECT_EQ(q.best(0, prior), 0);
  for (int i = 0; i < 40; ++i) q.update(i % 2 == 0, 0, 0, prior[0], -3, 0, {});
  EXPECT_EQ(q.best(0, prior), 1);
  EXPECT_NEAR(q.value(0, 0, prior[0]), -3, 0.3);
}

TEST(DoubleQ, WhatAStateCostsInCommonDoesNotFavourTheUntried) {
  Plain plain(1, 2, {.discount = 0, .step_floor = 0.05, .prior_visits = 20});
  Plain shared(1, 2, {.discount = 0, .step_floor = 0.05, .prior_visits = 20, .baseline_step = 0.2});
  const std::vector<double> prior{-1, -3};
  for (int i = 0; i < 200; ++i) {  // every action costs 5 more than the prior says
    plain.update(i % 2 == 0, 0, 0, prior[0], -6, 0, {});
    shared.update(i % 2 == 0, 0, 0, prior[0], -6, 0, {});
  }
  EXPECT_EQ(plain.best(0, prior), 1);
  EXPECT_EQ(shared.best(0, prior), 0);
  EXPECT_NEAR(shared.value(0, 0, prior[0]), -6, 0.1);
  EXPECT_LT(shared.value(0, 1, prior[1]), -5);
}

TEST(DoubleQ, MaskedActionsAreNeverChosen) {
  Plain q(1, 2, {});
  EXPECT_EQ(q.best(0, {kMasked, -50}), 1);
  EXPECT_EQ(q.best(0, {kMasked, kMasked}), -1);
}

/// Two states. In 0, action 0 pays 1 and stays, action 1 pays 0 and goes to 1. In 1, action 0 pays
/// 3 and goes to 0, action 1 pays 0 and stays. Discount 0.8: from 0 the best is to go (1 for ever
/// is worth 5):
///   V0 = 0.8 V1, V1 = 3 + 0.8 V0 -> V1 = 3 / 0.36 = 8.333, V0 = 6.667
///   Q(0,0) = 1 + 0.8 V0 = 6.333, Q(0,1) = 6.667, Q(1,0) = 8.333, Q(1,1) = 0.8 V1 = 6.667
TEST(DoubleQ, ConvergesOnATwoStateProcess) {
  Plain q(2, 2, {.discount = 0.8, .step_floor = 0.005, .prior_visits = 1});
  Random rng(7);
  int state = 0;
  for (int i = 0; i < 200'000; ++i) {
    const int action = static_cast<int>(rng.below(2));
    const int next = action == 0 ? 0 : 1;
    const double mean = action == 1 ? 0 : state == 0 ? 1 : 3;
    const double reward =
        mean + rng.uniform(-1, 1);  // noise that a single maximum would take for value
    q.update(rng.below(2) == 0, state, action, 0, reward, next, kNoPrior);
    state = next;
  }
  EXPECT_NEAR(q.value(0, 0, 0), 6.333, 0.15);
  EXPECT_NEAR(q.value(0, 1, 0), 6.667, 0.15);
  EXPECT_NEAR(q.value(1, 0, 0), 8.333, 0.15);
  EXPECT_NEAR(q.value(1, 1, 0), 6.667, 0.15);
  EXPECT_EQ(q.best(0, kNoPrior), 1);
  EXPECT_EQ(q.best(1, kNoPrior), 0);
}

TEST(DoubleQ, SecondIsTheBestOfTheOthers) {
  const DoubleQ q(1, 4, {});
  const std::array<Prior, 4> prior{
      Prior{{0, -3}, false}, {{0, -1}, false}, {{0, -2}, false}, {{0, -0.5}, true}};
  EXPECT_EQ(q.best(0, prior, 1), 1);
  EXPECT_EQ(q.second(0, prior, 1, 1), 2) << "a masked one is none";
  EXPECT_EQ(q.second(0, prior, 1, 2), 1) << "when another was chosen, the best is the runner-up";
  EXPECT_EQ(q.second(0, std::span(prior).first(1), 1, 0), -1);
}

TEST(DoubleQ, TheUsersPreferenceWeighsEnergyWhenActionsAreCompared) {
  const DoubleQ q(1, 2, {});
  const std::array<Prior, 2> thrifty_or_safe{Prior{{-1, -1}, false}, Prior{{-2, -0.5}, false}};
  EXPECT_EQ(q.best(0, thrifty_or_safe, 1), 0);
  EXPECT_EQ(q.best(0, thrifty_or_safe, 0.25), 1);
}

// With what follows left out, so that the preference has no say in the next action either.
TEST(DoubleQ, ThePreferenceDoesNotTouchWhatIsLearned) {
  const DoubleQ::Options options{.discount = 0, .baseline_step = 0.1};
  DoubleQ careless(2, 2, options), thrifty(2, 2, options);
  const std::array<Prior, 2> next{Prior{{-1, -1}, false}, Prior{{-2, -0.5}, false}};
  Random rng(9);
  for (int i = 0; i < 500; ++i) {
    const bool first = rng.below(2) == 0;
    const int state = static_cast<int>(rng.below(2)), action = static_cast<int>(rng.below(2));
    const QValue cost{-rng.uniform(), -3.0 * rng.below(2)};
    careless.update(first, state, action, {-1, -1}, cost, 1 - state, next, 0);
    thrifty.update(first, state, action, {-1, -1}, cost, 1 - state, next, 2);
  }
  ByteWriter a, b;
  careless.save(a);
  thrifty.save(b);
  EXPECT_EQ(a.view(), b.view());
}

TEST(DoubleQ, EnergyAndPenaltyAreLearnedApart) {
  DoubleQ both(1, 1, {.discount = 0.5, .baseline_step = 0.1});
  DoubleQ energy(1, 1, {.discount = 0.5, .baseline_step = 0.1});
  const std::array<Prior, 1> next{Prior{{-1, -1}, false}};
  for (int i = 0; i < 100; ++i) {
    both.update(i % 3 == 0, 0, 0, {-1, -1}, {-2, i % 7 == 0 ? -1000.0 : 0.0}, 0, next, 1);
    energy.update(i % 3 == 0, 0, 0, {-1, -1}, {-2, 0}, 0, next, 1);
  }
  EXPECT_EQ(both.value(0, 0, {}).energy, energy.value(0, 0, {}).energy);
  EXPECT_LT(both.value(0, 0, {}).penalty, energy.value(0, 0, {}).penalty - 50);
}

TEST(DoubleQ, SavedAndLoadedIsTheSame) {
  DoubleQ q(3, 2, {.baseline_step = 0.1});
  const std::array<Prior, 2> prior{Prior{{}, false}, Prior{{}, false}};
  Random rng(3);
  for (int i = 0; i < 100; ++i) {
    q.update(rng.below(2) == 0, static_cast<int>(rng.below(3)), static_cast<int>(rng.below(2)), {},
             {rng.uniform(), rng.uniform()}, 0, prior, 1);
  }
  ByteWriter out;
  q.save(out);
  const auto bytes = out.take();
  DoubleQ back(3, 2, {.baseline_step = 0.1});
  ByteReader in(bytes, "table");
  back.load(in);
  in.end();
  for (int s = 0; s < 3; ++s) {
    for (int a = 0; a < 2; ++a) {
      EXPECT_EQ(back.value(s, a, {}).energy, q.value(s, a, {}).energy);
      EXPECT_EQ(back.value(s, a, {}).penalty, q.value(s, a, {}).penalty);
      EXPECT_EQ(back.visits(s, a), q.visits(s, a));
    }
  }
  DoubleQ other(2, 2, {});
  ByteReader again(bytes, "table");
  EXPECT_THROW(other.load(again), Error) << "another shape";
}

}  // namespace
}  // namespace flyball
