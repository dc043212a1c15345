// Boards whose lowest clocks deliver half of what they are called.

#include <gtest/gtest.h>

#include <cmath>

#include "agents/learned_board.h"
#include "env/model/model.h"
#include "tests/agents/closed_loop.h"

namespace flyball {
namespace {

constexpr double kKnown = 0.999999;  // a share that a file states is taken for the truth

/// A belief that is corrected by jobs on the first big core of the tiny board.
struct Corrected {
  PlatformSpec board = tiny_platform();
  AppProfile& profile = board.apps[0];
  TimeEstimate times;

  explicit Corrected(double share) : times(lowest(share), profile) {}
  PlatformSpec& lowest(double share) {
    board.clusters[0].opps[0].delivered_share = share;
    return board;
  }
  double ns(int opp) const {
    return execution_ns(board, board.apps[0], board.mappings[0], 0,
                        {static_cast<std::uint8_t>(opp)});
  }
  void job(int opp, double true_ns) {
    times.take({0, 0}, OppChoice{static_cast<std::uint8_t>(opp)}, true_ns / ns(opp), 0.1);
  }
};

/// By how much it is off in the end, at most, at the clocks that jobs had and at one that they had not,
/// when they take `slower` times what is believed and the lowest clock delivers `share`.
double off(double believed_share, double share, double slower) {
  PlatformSpec truth = tiny_platform();
  truth.clusters[0].opps[0].delivered_share = share;
  truth.apps[0].unit[0].mcycles *= slower;
  const auto true_ns = [&](int opp) {
    return execution_ns(truth, truth.apps[0], truth.mappings[0], 0,
                        {static_cast<std::uint8_t>(opp)});
  };
  Corrected corrected(believed_share);
  for (int i = 0; i < 20; ++i) {
    for (const int opp : {0, 0, 0, 2}) corrected.job(opp, true_ns(opp));
  }
  double most = 0;
  for (const int opp : {0, 2, 3}) {
    most = std::max(most, std::abs(corrected.ns(opp) / true_ns(opp) - 1));
  }
  return most;
}

TEST(LowestClock, IsToldApartFromTheClusterAndTheOtherClocks) {
  EXPECT_LT(off(1, 0.5, 1), 0.05);
  EXPECT_LT(off(1, 0.5, 1.2), 0.05);
  // Without a number of its own nothing explains the jobs.
  EXPECT_GT(off(kKnown, 0.5, 1), 0.2);
}

TEST(LowestClock, ThatIsAsItIsCalledHidesNothingOfTheOthers) {
  for (const double slower : {0.8, 1.0, 1.3}) EXPECT_LT(off(1, 1, slower), 0.03) << slower;
}

TEST(LowestClock, DeliversNoMoreThanItIsCalled) {
  Corrected corrected(1);
  const double said_ns = corrected.ns(0);
  for (int i = 0; i < 50; ++i) corrected.job(0, 0.5 * said_ns);
  EXPECT_GT(corrected.board.clusters[0].opps[0].delivered_share, 0.95);
  EXPECT_LT(corrected.ns(3), 0.6 * 2.5e6) << "it is the cluster that is quicker";
}

// A job that began at one clock and ended at another tells of both, by what was done at each.
TEST(LowestClock, IsToldBySharesOfAJob) {
  Corrected corrected(1);
  for (int i = 0; i < 40; ++i) {
    corrected.job(3, 2.5e6);
    // Half of the work at half the clock: one and a half times as long as believed.
    const double share = corrected.board.clusters[0].opps[0].delivered_share;
    const TimeEstimate::AtClocks clocks[] = {{{0}, 0.5}, {{3}, 0.5}};
    corrected.times.take({0, 0}, clocks, 0.5 * share / 0.5 + 0.5, 0.1);
  }
  EXPECT_NEAR(corrected.board.clusters[0].opps[0].delivered_share, 0.5, 0.05);
}

// It is the board's: another kind of application need not find it out.
TEST(LowestClock, IsLearnedByOneApplicationForAll) {
  TinyWorld world;
  world.platform.apps.push_back(world.platform.apps[0]);
  world.platform.apps[1].name = "other";
  const Belief belief = Belief::of(world.platform);
  LearnedBoard board(belief);
  const PlatformSpec& believed = board.belief().mean;
  const auto ns = [&](int app, std::uint8_t opp) {
    return execution_ns(believed, believed.apps[static_cast<std::size_t>(app)],
                        believed.mappings[0], 0, {opp});
  };
  std::array<std::int16_t, kMaxApps> known;
  known.fill(-1);
  known[0] = 0;
  Observation finished;
  finished.app_count = 1;
  finished.app[0].finished = 1;
  const double said_ns = ns(0, 0), top_ns = ns(0, 3);
  for (int i = 0; i < 20; ++i) {
    board.times(0)->take({0, 0}, OppChoice{3}, top_ns / ns(0, 3), 0.1);
    board.observe(finished, known);
    // The other one has jobs as well, at another clock.
    board.times(1)->take({0, 0}, OppChoice{3}, top_ns / ns(1, 3), 0.1);
    board.times(0)->take({0, 0}, OppChoice{0}, 2 * said_ns / ns(0, 0), 0.1);
    board.observe(finished, known);
  }
  // What jobs at other clocks tell of it later is for all, too.
  for (int i = 0; i < 20; ++i) {
    board.times(0)->take({0, 0}, OppChoice{3}, 1.1 * top_ns / ns(0, 3), 0.1);
    board.observe(finished, known);
  }
  const int lowest = board.times(0)->lowest(0);
  EXPECT_NEAR(board.times(0)->numbers().mean(lowest), board.times(1)->numbers().mean(lowest), 0.02);
  for (int i = 0; i < 60; ++i) {
    board.times(0)->take({0, 0}, OppChoice{3}, top_ns / ns(0, 3), 0.1);
    board.observe(finished, known);
  }
  for (const int app : {0, 1}) {
    EXPECT_NEAR(ns(app, 0) / said_ns, 2, 0.1) << app;
    EXPECT_NEAR(ns(app, 3) / top_ns, 1, 0.03) << app;
  }
}

/// Energy of a minute of single_periodic on half_clock, mJ, where that is said of its lowest clock.
double minute_mj(const std::string& policy, double believed_share) {
  TinyWorld world;
  world.platform = load_platform("half_clock");
  world.scenario = load_scenario("single_periodic", world.platform);
  Belief belief = Belief::of(world.platform);
  belief.mean.clusters[1].opps[0].delivered_share = believed_share;
  world.weights.ref_energy_mj = 70;  // about that of a job
  const std::unique_ptr<Agent> agent =
      make_agent(policy, {belief, world.weights, world.seed, nullptr});
  ClosedLoop loop(world, *agent);
  double sum = 0;
  while (loop.step()) sum += loop.now.energy_mj;
  EXPECT_LE(loop.missed[0], 2) << policy;
  return sum;
}

TEST(LowestClock, WhoLearnsThatItDeliversHalfIsNoWorseThanWhoDoesNotLearn) {
  const double informed_mj = minute_mj("model", 0.5), unlearned_mj = minute_mj("model", 1);
  EXPECT_GT(unlearned_mj, 1.01 * informed_mj);
  for (const char* policy : {"planner", "q_learning"}) {
    EXPECT_LT(minute_mj(policy, 1), unlearned_mj) << policy;
    // Where it is told, there is nothing to learn.
    EXPECT_LT(minute_mj(policy, 0.5), 1.01 * informed_mj) << policy;
    // With one factor for all clocks of a cluster it takes more.
    EXPECT_GT(minute_mj(policy, kKnown), 1.01 * minute_mj(policy, 1)) << policy;
  }
}

}  // namespace
}  // namespace flyball
