// What is learned on one board as a prior of another.
#include "agents/board_transfer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "agents/learned_board.h"
#include "tests/agents/closed_loop.h"

namespace flyball {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(BoardTransfer, ClustersAreAlikeByKindAndSpeedWhateverTheyAreCalled) {
  const std::vector<ClusterMeaning> phone = {
      {"prime", true, 1}, {"middle", true, 0.6}, {"small", true, 0.25}, {"npu", false, 3}};
  const std::vector<ClusterMeaning> board = {{"A7", true, 0.3}, {"A15", true, 1}};
  // 0.6 is 1.67 times below 1 and 2 times above 0.3.
  EXPECT_THAT(alike(phone, board), ElementsAre(1, 1, 0, -1));
  EXPECT_THAT(alike(board, phone), ElementsAre(2, 0));
  // 512 per MHz at 1000 MHz against 1024 at 2000.
  const std::vector<ClusterMeaning> tiny = meanings_of(tiny_platform());
  EXPECT_DOUBLE_EQ(tiny[0].peak, 1);
  EXPECT_DOUBLE_EQ(tiny[1].peak, 0.25);
}

TEST(BoardTransfer, HalfOfAVarianceIsWhatBoardsHaveInCommon) {
  // Correlated by 0.7: E = 1 + 0.7 * -0.6; Var = (1 - 0.49) * 0.36 + 0.49 * 0.01.
  const Transferred is = transferred(1, 0.36, -0.6, 0.01);
  EXPECT_DOUBLE_EQ(is.mean, 0.58);
  EXPECT_DOUBLE_EQ(is.variance, 0.51 * 0.36 + 0.49 * 0.01);
  // Of a board that taught nothing, nothing is learned.
  EXPECT_DOUBLE_EQ(transferred(1, 0.36, 0, 0.36).variance, 0.36);
}

/// The payload of a board with one cluster of a fifth of the speed that another has: power of the small
/// one 0.4 times what its file said, of a job on it 1.5 times the time.
std::vector<std::uint8_t> another_board(int clusters = 2) {
  ByteWriter out;
  save_meanings({{"A15", true, 1}, {"A7", true, 0.2}}, out);
  out.u64(hash_of(tiny_platform().mappings));
  Gaussian<PowerEstimate::kMax> power;
  for (int i = 0; i < 2 * clusters + 1; ++i) power.add(1, 0.1);
  if (clusters == 2) power.set_mean(2, 0.4);
  power.set_mean(2 * clusters, 2);  // what is outside of the clusters
  power.save(out);
  power.save_first(out);
  out.u32(2);
  for (const char* name : {"cnn", "nobody_has_it"}) {
    out.text(name);
    out.u64(1);
    Gaussian<TimeEstimate::kMax> times;
    for (const double first : {0.0, 0.1, 0.0, 0.2, 0.9, 0.0, 0.0}) times.add(first, 0.02);
    times.set_mean(2, std::log(1.5));
    times.set_mean(3, 0.3);
    times.set_mean(4, 0.7);
    times.set_mean(6, std::log(2));  // its lowest small clock delivers half
    times.save(out);
    times.save_first(out);
  }
  return out.take();
}

TEST(BoardTransfer, WhatWasOffThereIsOffHereByLess) {
  const Belief belief = Belief::of(tiny_platform());
  LearnedBoard board(belief);
  const std::vector<std::uint8_t> payload = another_board();
  ByteReader in(payload, "it");
  EXPECT_THAT(board.load_as_prior(in),
              ElementsAre(HasSubstr("big from its A15, little from its A7")));
  in.end();
  EXPECT_NEAR(board.power().switching(1), 1 - 0.7 * 0.6, 1e-6);
  EXPECT_NEAR(board.power().factors().deviation(2), std::sqrt(0.51 * 0.36 + 0.49 * 0.01), 1e-6);
  EXPECT_NEAR(board.power().switching(0), 1, 1e-6);
  EXPECT_NEAR(board.power().rest(), 1, 1e-9);  // it is each board's own
  const auto& times = board.times(0)->numbers();
  EXPECT_NEAR(times.mean(2), 0.7 * std::log(1.5), 1e-6);
  EXPECT_NEAR(times.mean(3), 0.7 * 0.1, 1e-6);      // the memory's share: 0 here
  EXPECT_NEAR(times.mean(4), 1 - 0.7 * 0.2, 1e-6);  // what spreads over cores: 1 here
  EXPECT_EQ(times.mean(6), 0) << "what a clock delivers is each board's own";
  // 20 ms on a little core at its top, of which now 7 % are memory's.
  const AppProfile& cnn = board.belief().mean.apps[0];
  const double ms = 20 * std::pow(1.5, 0.7);
  EXPECT_NEAR(cnn.unit[1].memory_ms, 0.07 * ms, 1e-4);
  EXPECT_NEAR(cnn.unit[1].mcycles, 0.93 * ms, 1e-4);
}

TEST(BoardTransfer, WhatDoesNotFitItselfIsRefused) {
  const Belief belief = Belief::of(tiny_platform());
  LearnedBoard board(belief);
  const std::vector<std::uint8_t> odd = another_board(3);
  ByteReader in(odd, "it");
  EXPECT_THROW(board.load_as_prior(in), Error);
  const std::vector<std::uint8_t> whole = another_board();
  const std::vector<std::uint8_t> half(whole.begin(), whole.begin() + 40);
  ByteReader rest(half, "it");
  EXPECT_THROW(board.load_as_prior(rest), Error);
}

/// A board whose description has its small cores cost `lie` times what they do; `other`: one with other
/// cores, clocks and mappings.
struct Lie {
  Lie(bool other, double lie) {
    PlatformSpec& board = described.platform;
    if (other) {
      board.name = "other";
      board.clusters[0].name = "fast";
      board.clusters[1].name = "slow";
      board.clusters[1].cores = 3;
      board.clusters[1].opps = {{400'000, 800}, {800'000, 900}, {1'200'000, 1000}};
      board.mappings = {{{1, 0}, "fastx1"},
                        {{2, 0}, "fastx2"},
                        {{0, 1}, "slowx1"},
                        {{0, 2}, "slowx2"},
                        {{0, 3}, "slowx3"}};
      board.apps[0].unit[0].mcycles = 12;
    }
    truth = described;
    board.clusters[1].uncore_nf *= lie;
    board.clusters[1].leak_c_a *= lie;
    board.apps[0].unit[1].core_nf *= lie;
  }
  /// Of one who knows the description alone.
  double energy_mj(Agent& agent, double seconds) const {
    TinyWorld world = truth;
    world.scenario.duration_ns = static_cast<std::int64_t>(seconds * 1e9);
    agent.set_learning(true);
    ClosedLoop loop(world, agent);
    double sum_mj = 0;
    bool going = true;
    while (going) {
      going = loop.step();
      sum_mj += loop.now.energy_mj;
    }
    agent.end_run();
    return sum_mj;
  }

  TinyWorld described, truth;
};

std::vector<std::uint8_t> taught(const Lie& board, const char* agent) {
  const auto teacher = board.described.make(agent);
  board.energy_mj(*teacher, 20);
  ByteWriter learned;
  teacher->save(learned);
  return learned.take();
}

// What is overstated threefold is tried, and found out; what is overstated sixfold is not, unless another
// board has taught that descriptions overstate it.
TEST(BoardTransfer, WhatOneBoardTaughtSavesOnAnother) {
  const Lie here(false, 3), there(true, 6);
  for (const char* agent : {"planner", "q_learning"}) {
    const auto cold = there.described.make(agent), warm = there.described.make(agent);
    warm->load(taught(here, agent), true);
    const double cold_mj = there.energy_mj(*cold, 4), warm_mj = there.energy_mj(*warm, 4);
    EXPECT_LT(warm_mj, 0.8 * cold_mj) << agent;
  }
}

// And where no description lies it does no harm: 0.3 %.
TEST(BoardTransfer, ABoardThatIsAsDescribedTeachesNothingWrong) {
  const Lie here(false, 1), there(true, 1);
  for (const char* agent : {"planner", "q_learning", "linucb"}) {
    const auto cold = there.described.make(agent), warm = there.described.make(agent);
    warm->load(taught(here, agent), true);
    EXPECT_LT(there.energy_mj(*warm, 4), 1.003 * there.energy_mj(*cold, 4)) << agent;
  }
}

/// The same board, its clusters described in the other order; as many cores, and so as many mappings.
void turn(TinyWorld& world) {
  PlatformSpec& board = world.platform;
  std::swap(board.clusters[0], board.clusters[1]);
  std::swap(board.apps[0].unit[0], board.apps[0].unit[1]);
  board.mappings = {{{1, 0}, "littlex1"},
                    {{2, 0}, "littlex2"},
                    {{0, 1}, "bigx1"},
                    {{0, 2}, "bigx2"},
                    {{2, 2}, "littlex2+bigx2"}};
}

void expect_no_mapping_taken(const Lie& here, const Lie& there) {
  for (const char* agent : {"q_learning", "linucb", "ucb"}) {
    SCOPED_TRACE(agent);
    const std::vector<std::uint8_t> learned = taught(here, agent);
    EXPECT_THAT(here.described.make(agent)->load(learned, true), IsEmpty());
    const auto cold = there.described.make(agent), warm = there.described.make(agent);
    EXPECT_THAT(warm->load(learned, true), Contains(HasSubstr("of 'cnn'")));
    EXPECT_LT(there.energy_mj(*warm, 4), 1.003 * there.energy_mj(*cold, 4));
  }
}

TEST(BoardTransfer, OfClustersInAnotherOrderWhatWasLearnedByMappingIsLeftOut) {
  const Lie here(false, 1);
  Lie there(false, 1);
  turn(there.described);
  turn(there.truth);
  expect_no_mapping_taken(here, there);
}

TEST(BoardTransfer, OfMappingsInAnotherOrderWhatWasLearnedByMappingIsLeftOut) {
  const Lie here(false, 1);
  Lie there(false, 1);
  std::ranges::reverse(there.described.platform.mappings);
  std::ranges::reverse(there.truth.platform.mappings);
  expect_no_mapping_taken(here, there);
}

// A teacher whose description lied, to a pupil whose description is true. Threefold is doubted enough to
// change nothing: -0.05 %. Of small cores said to take six times as much the pupil has to find out: 7 mJ once,
// which are 1.2 % of four seconds.
TEST(BoardTransfer, WhatATeacherLearnedOfItsOwnLieCostsAnotherLittle) {
  struct Case {
    double lie, limit;
  };
  for (const auto [lie, limit] : {Case{3, 1.003}, Case{1.0 / 3, 1.003}, Case{1.0 / 6, 1.02}}) {
    const Lie here(false, lie), there(true, 1);
    for (const char* agent : {"planner", "q_learning", "linucb"}) {
      const auto cold = there.described.make(agent), warm = there.described.make(agent);
      warm->load(taught(here, agent), true);
      EXPECT_LT(there.energy_mj(*warm, 4), limit * there.energy_mj(*cold, 4)) << agent << lie;
    }
  }
}

}  // namespace
}  // namespace flyball
