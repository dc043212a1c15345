// The Q-network without LibTorch: what it is before it is trained, the network by hand, and what it
// keeps and refuses.

#include "agents/dqn.h"

#include <gtest/gtest.h>

#include <vector>

#include "agents/linucb.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

const LinearPrior kPrior = LinearPrior::of_board(1);  // two kinds of energy, two of context

Arm dqn_arm(double switching, double leaking) {
  Arm one;
  one.believed = switching + leaking;
  one.x = {switching, leaking, 1, 0.5};
  return one;
}
const Arm kFirst = dqn_arm(1, 0.25), kOther = dqn_arm(0.5, 1);

ArmLearner::Outcome job(const Arm& of, double cost, const ArmState& state = {}) {
  return {
      .state = state, .arm = of, .cost = cost, .next_state = state, .next = of, .best_next = of};
}

/// One hidden unit, x[0] - 0.5 where jobs are not coupled, and of it one feature, 2 of it + 0.25.
DqnBody one_unit() {
  DqnBody body;
  body.first(0, 0) = 1;
  body.first(0, DqnBody::kInputs - 1) = -10;
  body.first_bias[0] = -0.5;
  body.second(0, 0) = 2;
  body.second_bias[0] = 0.25;
  return body;
}

/// One that was trained: a job costs as believed, and 3 of the feature besides.
Dqn trained() {
  Dqn dqn(kPrior, 2);
  std::vector<double> mean(static_cast<std::size_t>(dqn.last_size())), spread(mean.size(), 0.1);
  mean[0] = mean[1] = 1;
  mean[5] = 3;
  dqn.start_from(one_unit(), mean, spread);
  return dqn;
}

TEST(Dqn, UntrainedItIsLinUcb) {
  Dqn dqn(kPrior, 2);
  LinUcb linear(kPrior, 2);
  EXPECT_DOUBLE_EQ(dqn.cost({}, kFirst), kFirst.believed);
  Random random(1);
  std::vector<double> chance(2);
  const std::vector<Arm> arms = {kFirst, kOther};
  for (int i = 0; i < 20; ++i) {
    const Arm& arm = i % 3 == 0 ? kOther : kFirst;
    dqn.learn(job(arm, 0.5 + 0.01 * i));
    linear.learn(job(arm, 0.5 + 0.01 * i));
    EXPECT_DOUBLE_EQ(dqn.cost({}, kFirst), linear.cost({}, kFirst));
    EXPECT_EQ(dqn.choose({}, arms, 0, random, chance).arm,
              linear.choose({}, arms, 0, random, chance).arm);
  }
}

TEST(Dqn, TheNetworkByHand) {
  const Dqn dqn = trained();
  // 2 * (1 - 0.5) + 0.25; without an arm the bias alone is left, which no arm is charged.
  EXPECT_NEAR(dqn.to_go({}, kFirst), 1.25 + 3 * 1.25, 1e-12);
  EXPECT_NEAR(dqn.cost({}, kFirst), 1.25 + 3 * 1.0, 1e-12);
  EXPECT_NEAR(dqn.cost({}, kOther), 1.5, 1e-12) << "its unit is at rest";
  EXPECT_NEAR(dqn.cost({.coupled = true}, kFirst), 1.25, 1e-12)
      << "and so it is where jobs are coupled";
}

TEST(Dqn, LooksAheadWhereJobsAreCoupled) {
  const Dqn dqn = trained();
  EXPECT_DOUBLE_EQ(dqn.target(job(kFirst, 2)), 2);
  const ArmState coupled{.coupled = true};
  EXPECT_NEAR(dqn.target(job(kFirst, 2, coupled)), 2 + Dqn::kDiscount * dqn.to_go(coupled, kFirst),
              1e-12);
}

TEST(Dqn, TheLastLayerAdaptsFromWhatWasTrained) {
  Dqn dqn = trained();
  for (int i = 0; i < 50; ++i) dqn.learn(job(kFirst, 2));
  EXPECT_NEAR(dqn.to_go({}, kFirst), 2, 0.05);
  // What was found out of one arm holds for another as far as the network takes them for alike.
  EXPECT_LT(dqn.cost({}, kOther), 1.45);
}

TEST(Dqn, SpoiltItIsTheBeliefAgain) {
  for (const bool online : {false, true}) {
    Dqn dqn = trained();
    for (int i = 0; online && i < 50; ++i) dqn.learn(job(kFirst, 2));
    Random random(1);
    dqn.ablate(Ablation::kZeroed, random);
    EXPECT_NEAR(dqn.cost({}, kFirst), kFirst.believed, 1e-12);
  }
}

TEST(Dqn, KeepsWhatItLearnedAndRefusesWhatDoesNotFit) {
  Dqn dqn = trained();
  for (int i = 0; i < 9; ++i) dqn.learn(job(kFirst, 2 + 0.1 * i));
  ByteWriter out;
  dqn.save(out);
  const std::vector<std::uint8_t> bytes(out.view().begin(), out.view().end());
  Dqn loaded(kPrior, 2);
  ByteReader in(bytes, "policy");
  loaded.load(in);
  EXPECT_NEAR(loaded.cost({}, kFirst), dqn.cost({}, kFirst), 1e-5);
  EXPECT_NEAR(loaded.cost({}, kOther), dqn.cost({}, kOther), 1e-5);
  ByteWriter again;
  loaded.save(again);
  EXPECT_EQ(std::vector<std::uint8_t>(again.view().begin(), again.view().end()), bytes);
  // Another number of inputs, hidden units, features, or beliefs.
  const std::size_t beliefs = 12 + 4 * (DqnBody::kHidden * (DqnBody::kInputs + 1) +
                                        DqnBody::kFeatures * (DqnBody::kHidden + 1));
  for (const std::size_t at : {std::size_t{0}, std::size_t{4}, std::size_t{8}, beliefs}) {
    std::vector<std::uint8_t> other = bytes;
    ++other[at];
    ByteReader wrong(other, "policy");
    EXPECT_THROW(Dqn(kPrior, 2).load(wrong), Error) << at;
  }
  // A weight that is no number.
  std::vector<std::uint8_t> other = bytes;
  other[14] = 0xff, other[15] = 0x7f;
  ByteReader wrong(other, "policy");
  EXPECT_THROW(Dqn(kPrior, 2).load(wrong), Error);
}

}  // namespace
}  // namespace flyball
