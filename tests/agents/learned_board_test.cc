#include "agents/learned_board.h"

#include <gtest/gtest.h>

#include <cmath>

#include "agents/job_tracker.h"
#include "tests/agents/closed_loop.h"

namespace flyball {
namespace {

TEST(Gaussian, AMeasurementDividesByItsTrust) {
  Gaussian<3> numbers;
  numbers.add(1, 1);
  numbers.add(2, 2);
  // The second alone, as uncertain as it is: half of the way, half of the variance.
  numbers.update({0, 1}, 4, 4);
  EXPECT_DOUBLE_EQ(numbers.mean(0), 1);
  EXPECT_DOUBLE_EQ(numbers.mean(1), 4);
  EXPECT_DOUBLE_EQ(numbers.deviation(1), std::sqrt(2));
  // Their sum exactly: the more uncertain one takes more, and then they are known to be opposed.
  numbers.update({1, 1}, 3, 0);
  EXPECT_DOUBLE_EQ(numbers.mean(0), 2);
  EXPECT_DOUBLE_EQ(numbers.mean(1), 6);
  EXPECT_NEAR(numbers.variance({1, 1}), 0, 1e-12);
  EXPECT_GT(numbers.variance({1, -1}), 1);
}

TEST(Gaussian, SpoilingUndoesOpposesAndMixesWhatWasLearned) {
  const auto learned = [] {
    Gaussian<3> numbers;
    for (int i = 0; i < 3; ++i) numbers.add(1, 1);
    numbers.update({1, 0, 0}, 2, 1);
    return numbers;
  };
  Random random(1);
  Gaussian<3> zeroed = learned(), negated = learned(), shuffled = learned();
  zeroed.ablate(Ablation::kZeroed, random);
  EXPECT_DOUBLE_EQ(zeroed.mean(0), 1);
  negated.ablate(Ablation::kNegated, random);
  EXPECT_DOUBLE_EQ(negated.mean(0), 0);
  double sum = 0;
  for (int i = 0; i < 50; ++i) shuffled.ablate(Ablation::kShuffled, random);
  for (int i = 0; i < 3; ++i) sum += shuffled.mean(i);
  EXPECT_DOUBLE_EQ(sum, 4);
}

/// What is learned of a board by watching `model`, who believes in the description, run on it.
struct Watched {
  explicit Watched(const TinyWorld& truth, const std::function<void(Observation&)>& sensor = {})
      : belief(Belief::of(TinyWorld().platform)), board(belief) {
    const TinyWorld described;
    const std::unique_ptr<Agent> agent = described.make("model");
    ClosedLoop loop(truth, *agent);
    std::array<std::int16_t, kMaxApps> known;
    known.fill(-1);
    known[0] = 0;
    JobTracker jobs(board.belief().mean, board.belief().mean.apps[0], 0, true, board.times(0));
    bool going = true;
    while (going) {
      going = loop.step();
      Observation seen = loop.now;
      if (sensor) sensor(seen);
      board.observe(seen, known);
      jobs.observe(seen);
      used = loop.now.app[0].last_setting;
      for (int c = 0; loop.now.app[0].finished > 0 && c < 2; ++c) opp[c] = loop.now.cluster[c].opp;
    }
  }
  int cluster() const { return belief.mean.mappings[used.mapping].cores[0] > 0 ? 0 : 1; }

  Belief belief;
  LearnedBoard board;
  AppSetting used;
  OppChoice opp{};  ///< when the last job finished
};

TinyWorld hungry(double factor) {
  TinyWorld world;
  for (int c = 0; c < 2; ++c) {
    world.platform.clusters[c].uncore_nf *= factor;
    world.platform.apps[0].unit[c].core_nf *= factor;
    world.platform.clusters[c].leak_c_a *= factor;
  }
  return world;
}

TEST(LearnedBoard, LearnsThePowerOfWhatRunsAndNothingOfWhatDoesNot) {
  const Watched watched(hungry(3));
  const int used = watched.cluster();
  const PowerEstimate& power = watched.board.power();
  // At one clock and one load nobody can tell apart what switches, what leaks and the rest of the
  // board, but the job is known to be hungrier than believed, and by how much better than before.
  const PowerEstimate::Parts parts =
      watched.board.parts(0, watched.used.mapping, watched.used.level, watched.opp);
  double believed_mj = 0;
  for (const double part : parts) believed_mj += part;
  EXPECT_GT(power.energy_mj(parts), 1.8 * believed_mj);
  EXPECT_LT(power.energy_mj(parts), 3.3 * believed_mj);
  const LearnedBoard fresh(watched.belief);
  EXPECT_DOUBLE_EQ(fresh.power().energy_mj(parts), believed_mj);
  EXPECT_LT(power.variance(parts), 0.7 * fresh.power().variance(parts));
  EXPECT_NEAR(power.switching(1 - used), 1, 0.2);
  EXPECT_GT(power.factors().deviation(2 * (1 - used)), 0.9 * PowerEstimate::kSpread);
  // And plans with it.
  EXPECT_NEAR(watched.board.belief().mean.clusters[used].uncore_nf /
                  watched.belief.mean.clusters[used].uncore_nf,
              power.switching(used), 0.02);
  EXPECT_GT(watched.board.version(), 0u);
}

TEST(LearnedBoard, ALateSensorTellsAsMuchAsAGoodOne) {
  double before_mj = 0;
  std::int64_t before_ns = 1;
  const Watched watched(hungry(3), [&](Observation& seen) {
    // Half of the epoch before and half of this one.
    const double per_ns = before_mj / static_cast<double>(before_ns);
    before_mj = seen.energy_mj;
    before_ns = std::max<std::int64_t>(1, seen.epoch_ns);
    seen.energy_mj = 0.5 * seen.energy_mj + 0.5 * per_ns * static_cast<double>(seen.epoch_ns);
  });
  EXPECT_GT(watched.board.power().switching(watched.cluster()), 1.8);
}

TEST(LearnedBoard, AStuckSensorTeachesNothing) {
  const Watched watched(hungry(3), [](Observation& seen) {
    seen.power_mw = 500;
    seen.energy_mj = 500e-9 * static_cast<double>(seen.epoch_ns);
  });
  for (int c = 0; c < 2; ++c) EXPECT_NEAR(watched.board.power().switching(c), 1, 0.05);
}

// What it shows from when it sticks until it is found to is taken back.
TEST(LearnedBoard, ASensorThatSticksLaterTakesNothingAway) {
  const auto stuck_from = [](double from_s) {
    double shown_mw = 0;
    return Watched(hungry(3), [=](Observation& seen) mutable {
      const bool idle = !seen.app[0].running.busy && seen.app[0].finished == 0;
      if (static_cast<double>(seen.now_ns) < 1e9 * from_s || (shown_mw == 0 && !idle)) return;
      if (shown_mw == 0) shown_mw = seen.power_mw;  // of a board that rests
      seen.power_mw = shown_mw;
      seen.energy_mj = 1e-9 * shown_mw * static_cast<double>(seen.epoch_ns);
    });
  };
  for (const double from_s : {0.5, 1.0, 4.0}) {
    const Watched watched = stuck_from(from_s), never = stuck_from(100);
    const int used = watched.cluster();
    EXPECT_NEAR(watched.board.power().switching(used), never.board.power().switching(used), 0.15)
        << from_s;
    EXPECT_TRUE(watched.board.power().stuck());
  }
}

TEST(LearnedBoard, LearnsByHowMuchJobsTakeLongerAndOfWhichCores) {
  TinyWorld world;
  for (int c = 0; c < 2; ++c) world.platform.apps[0].unit[c].mcycles *= 1.3;
  const Watched watched(world);
  // In the setting that is used a job takes 1.3 times what was believed, by whatever it is made of.
  const OppChoice top = highest_opps(watched.belief.mean);
  const auto time_ns = [&](const PlatformSpec& board) {
    return execution_ns(board, board.apps[0], board.mappings[watched.used.mapping],
                        watched.used.level, top);
  };
  EXPECT_NEAR(time_ns(watched.board.belief().mean) / time_ns(watched.belief.mean), 1.3, 0.15);
  // And that is known better than before.
  LearnedBoard fresh(watched.belief);
  EXPECT_LT(watched.board.times(0)->deviation(watched.used.mapping, watched.used.level, top),
            0.6 * fresh.times(0)->deviation(watched.used.mapping, watched.used.level, top));
}

PlatformSpec sure(double time_spread, double power_spread) {
  PlatformSpec board = TinyWorld().platform;
  board.time_spread = time_spread;
  board.power_spread = power_spread;
  return board;
}

// Jobs that take 1.2 times what is believed, until half of that is believed.
TEST(TimeEstimate, WhatIsSurerIsBelievedLonger) {
  const auto jobs_until_half = [](PlatformSpec board) {
    AppProfile profile = board.apps[0];
    TimeEstimate times(board, profile);
    const OppChoice top = highest_opps(board);
    const auto ns = [&](const AppProfile& of) {
      return execution_ns(board, of, board.mappings[0], 0, top);
    };
    const double true_ns = 1.2 * ns(board.apps[0]);
    int jobs = 0;
    while (ns(profile) < 1.1 * ns(board.apps[0]) && jobs < 1000) {
      times.take({0, 0}, top, true_ns / ns(profile), 0.1);
      ++jobs;
    }
    return jobs;
  };
  const int unknown = jobs_until_half(TinyWorld().platform);
  EXPECT_EQ(jobs_until_half(sure(TimeEstimate::kFactorSpread, 0.1)), unknown);
  EXPECT_LE(unknown, 3);
  EXPECT_GT(jobs_until_half(sure(0.05, 0.1)), unknown);
  EXPECT_GT(jobs_until_half(sure(0.02, 0.1)), jobs_until_half(sure(0.05, 0.1)));
  EXPECT_LT(jobs_until_half(sure(0.02, 0.1)), 1000) << "it is not believed for ever";
}

// The Gaussian does the rest: a measurement moves it by how unsure it is.
TEST(LearnedBoard, StartsFromTheSpreadOfTheBelief) {
  const Belief belief = Belief::of(sure(0.2, 0.06)), silent = Belief::of(TinyWorld().platform);
  const LearnedBoard board(belief), unknown(silent);
  const auto& factors = board.power().factors();
  for (int i = 0; i < factors.size(); ++i) {
    EXPECT_NEAR(factors.deviation(i) / unknown.power().factors().deviation(i), 0.1, 1e-12);
  }
  EXPECT_DOUBLE_EQ(unknown.power().factors().deviation(0), PowerEstimate::kSpread);
}

// What the tracker expects of a job at the start varies as much as the belief says.
TEST(JobTracker, StartsFromTheSpreadOfTheBelief) {
  const PlatformSpec board = sure(0.25, 0.1);
  const JobTracker jobs(board, board.apps[0], 0, true);
  EXPECT_DOUBLE_EQ(jobs.deviation(), 0.2);
  const PlatformSpec silent = TinyWorld().platform;
  EXPECT_DOUBLE_EQ(JobTracker(silent, silent.apps[0], 0, true).deviation(), 0.06);
}

TEST(LearnedBoard, IsTheSameAfterItWasSaved) {
  const Watched watched(hungry(3));
  ByteWriter out;
  watched.board.save(out);
  const std::vector<std::uint8_t> bytes = out.take();
  LearnedBoard again(watched.belief);
  ByteReader in(bytes, "test");
  again.load(in);
  in.end();
  ByteWriter out_again;
  again.save(out_again);
  EXPECT_EQ(out_again.take(), bytes);
  EXPECT_NEAR(again.belief().mean.clusters[0].uncore_nf,
              watched.board.belief().mean.clusters[0].uncore_nf, 1e-6);
}

}  // namespace
}  // namespace flyball
