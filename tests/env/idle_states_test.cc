#include "env/model/idle_states.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "env/config/yaml.h"
#include "env/sim/simulator.h"
#include "kernels/base/error.h"
#include "kernels/base/random.h"
#include "tests/env/round_board.h"

namespace flyball {
namespace {

const IdleStateSpec kSleep{"sleep", 0.5, 50, 1000, false}, kOff{"off", 0.1, 500, 5000, true};

/// Leaks the same at any temperature, so that energies can be worked out by hand: idle at its lowest
/// clock the big cluster takes 100 (uncore) + 200 (cores) + 100 (leakage) = 400 mW.
PlatformSpec cold_board(const std::vector<IdleStateSpec>& states) {
  PlatformSpec spec = round_board();
  for (ClusterSpec& cluster : spec.clusters) {
    cluster.leak_a = 0;
    cluster.leak_c_a = 0.1;
    cluster.leak_core_share = 0.5;
  }
  spec.clusters[kBig].idle_states = states;
  return spec;
}

TEST(IdleStates, AreAsDeepAsTheIdleTimeReaches) {
  const ClusterSpec cluster = cold_board({kSleep, kOff}).clusters[kBig];
  for (const bool whole : {true, false}) {
    EXPECT_EQ(idle_depth(cluster, whole, 0), 0);
    EXPECT_EQ(idle_depth(cluster, whole, 999'999), 0);
    EXPECT_EQ(idle_depth(cluster, whole, 1'000'000), 1);
    EXPECT_EQ(idle_depth(cluster, whole, 4'999'999), 1);
    EXPECT_EQ(next_depth_ns(cluster, whole, 0), 1'000'000);
  }
  EXPECT_EQ(idle_depth(cluster, true, 5'000'000), 2);
  EXPECT_EQ(idle_depth(cluster, false, 5'000'000), 1) << "the cluster is not idle as a whole";
  EXPECT_EQ(next_depth_ns(cluster, true, 1'000'000), 5'000'000);
  EXPECT_EQ(next_depth_ns(cluster, true, 5'000'000), kNeverDeeper);
  EXPECT_EQ(next_depth_ns(cluster, false, 1'000'000), kNeverDeeper);
}

TEST(IdleStates, WhatIsSavedIsTheSumOverTheDepths) {
  const ClusterSpec cluster = cold_board({kSleep, kOff}).clusters[kBig];
  // Half of 9 ms, and 0.4 more of the last 5.
  EXPECT_DOUBLE_EQ(saved_ns(cluster, 10e6), 6.5e6);
  for (const double idle_ns : {0.0, 0.5e6, 1e6, 3e6, 5e6, 20e6}) {
    double sum = 0;
    constexpr double kStep = 1000;
    for (double at = 0; at < idle_ns; at += kStep) {
      sum += kStep * (1 - idle_share(cluster, idle_depth(cluster, true, std::llround(at))));
    }
    EXPECT_NEAR(saved_ns(cluster, idle_ns), sum, 2 * kStep) << idle_ns;
  }
}

/// A job of 100 ms every 200, on one big core at 1000 MHz.
struct Played {
  std::vector<JobRecord> jobs;
  double big_mj = 0, total_mj = 0;
};
Played play_stream(const PlatformSpec& spec, double period_ms, double until_ms,
                   double epoch_ms = 1000, std::int64_t start_ns = 0) {
  AppSpec camera = stream("camera", period_ms, 400);
  camera.start_ns = start_ns;
  const Scenario scenario = of_apps({camera}, until_ms);
  Simulator sim(spec, scenario);
  sim.apply(big_core(spec, 0));
  Played played;
  Observation out;
  Status status = Status::kOk;
  while (status == Status::kOk) {
    status = sim.advance(ms(epoch_ms), out);
    double sum_mw = spec.board_mw;
    for (int c = 0; c < 2; ++c) sum_mw += out.cluster[c].power_mw;
    const double seconds = static_cast<double>(out.epoch_ns) * 1e-9;
    EXPECT_NEAR(sum_mw * seconds, out.energy_mj, 1e-9 * out.energy_mj) << "nothing gets lost";
    played.big_mj += out.cluster[kBig].power_mw * seconds;
    played.total_mj += out.energy_mj;
    played.jobs.insert(played.jobs.end(), out.jobs().begin(), out.jobs().end());
  }
  return played;
}

TEST(IdleStates, EnergyAndLatencyOfAPeriodByHand) {
  const Played none = play_stream(cold_board({}), 200, 200);
  // 950 mW busy: 1 V^2 * 1000 MHz * (0.1 + 0.5 + 3 * 0.05 nF), 100 mA of the job, 100 mW leak.
  EXPECT_NEAR(none.big_mj, 95 + 40, 1e-6);
  ASSERT_EQ(none.jobs.size(), 1u);
  EXPECT_EQ(none.jobs[0].execution_ns(), 100 * kMs);

  const Played deep = play_stream(cold_board({kSleep, kOff}), 200, 200);
  ASSERT_EQ(deep.jobs.size(), 1u);
  EXPECT_EQ(deep.jobs[0].latency_ns(), 100 * kMs + 500'000) << "the cluster was off";
  // Waking 0.5 ms at 400 mW; 100 ms of work; from the 1st ms on the three other cores sleep: half of
  // 150 mW of clocks and 37.5 mW of leakage. Then 1 ms awake, 4 asleep, 94.5 off.
  EXPECT_NEAR(deep.big_mj, 0.5 * 0.4 + 95 - 99.5 * 0.5 * 0.1875 + 1 * 0.4 + 4 * 0.2 + 94.5 * 0.04,
              1e-6);
}

TEST(IdleStates, WakingTakesAsLongAsTheStateThatWasReached) {
  // The second job comes 0.4, 2 and 20 ms after the first is done.
  for (const auto& [gap_ms, exit_ns] : {std::pair{0.4, 0}, {2.0, 50'000}, {20.0, 500'000}}) {
    const Played played = play_stream(cold_board({kSleep, kOff}), 100.5 + gap_ms, 400);
    ASSERT_GE(played.jobs.size(), 2u);
    EXPECT_EQ(played.jobs[1].latency_ns(), 100 * kMs + exit_ns) << gap_ms;
  }
}

TEST(IdleStates, AClusterThatIsNotUsedIsInItsDeepestState) {
  PlatformSpec spec = cold_board({});
  const Played none = play_stream(spec, 200, 2000);
  spec.clusters[kLittle].idle_states = {kOff};
  const Played off = play_stream(spec, 200, 2000);
  // 0.9 V: 500 MHz with 0.06 nF, and 90 mW of leakage.
  EXPECT_NEAR(none.total_mj - off.total_mj, 2 * 0.9 * (0.81 * 500 * 0.06 + 90), 1e-6);
  EXPECT_EQ(off.jobs[0].latency_ns(), none.jobs[0].latency_ns());
}

TEST(IdleStates, DeeperStatesNeverCostEnergyAtEqualWork) {
  const std::vector<std::vector<IdleStateSpec>> lists = {
      {},
      {{"shallow", 0.8, 10, 200, false}},
      {{"shallow", 0.8, 10, 200, false}, kSleep},
      {{"shallow", 0.8, 10, 200, false}, kSleep, kOff}};
  for (const bool leaks : {false, true}) {
    for (const double period_ms : {101.5, 107.0, 130.0, 400.0}) {
      double before_mj = 0;
      std::size_t jobs = 0;
      for (const auto& states : lists) {
        PlatformSpec spec = cold_board(states);
        if (leaks) spec.clusters[kBig].leak_a = 0.002488;
        // What is off at the beginning has to have been so within the run to have paid.
        const Played played = play_stream(spec, period_ms, 10 * period_ms, 1000, 50 * kMs);
        if (!states.empty()) {
          EXPECT_LT(played.total_mj, before_mj) << states.size() << " at " << period_ms;
          EXPECT_EQ(played.jobs.size(), jobs);
        }
        before_mj = played.total_mj;
        jobs = played.jobs.size();
      }
    }
  }
}

TEST(IdleStates, HowOftenSomebodyLooksDoesNotMatter) {
  const PlatformSpec spec = cold_board({kSleep, kOff});
  const Played seldom = play_stream(spec, 130, 1300, 1000);
  for (const double epoch_ms : {0.3, 1.0, 7.0}) {
    const Played often = play_stream(spec, 130, 1300, epoch_ms);
    EXPECT_NEAR(often.total_mj, seldom.total_mj, 1e-9 * seldom.total_mj);
    ASSERT_EQ(often.jobs.size(), seldom.jobs.size());
    EXPECT_EQ(often.jobs.back().finish_ns, seldom.jobs.back().finish_ns);
  }
}

TEST(IdleStates, AForkGoesOnAsTheOriginal) {
  const PlatformSpec spec = cold_board({kSleep, kOff});
  AppSpec camera = stream("camera", 130, 400), other = stream("other", 170, 400);
  camera.work_cv = other.work_cv = 0.2;
  const Scenario scenario = of_apps({camera, other}, 60'000);
  Simulator sim(spec, scenario, {.seed = 3});
  Random random(5);
  auto fork = std::make_unique<SimState>();
  Observation out;
  bool deep = false, waking = false;
  for (int i = 0; i < 400; ++i) {
    const Action action = big_core(spec, static_cast<std::uint8_t>(i / 7 % 2), 2);
    // Also while a cluster is on its way down, and while it wakes.
    const EpochRequest request = ms(0.2 + 60 * random.uniform() * random.uniform(), i % 2 == 0);
    sim.fork(*fork);
    deep = deep || fork->idle[kBig].depth == 1;
    waking = waking || (fork->jobs.running > 0 && fork->run[0].awake_ns > fork->now_ns);
    const double start_mj = fork->total_mj;
    sim.step(*fork, action, request);
    sim.apply(action);
    sim.advance(request, out);
    EXPECT_NEAR(fork->total_mj - start_mj, out.energy_mj, 1e-9 * (1 + out.energy_mj)) << i;
    EXPECT_EQ(fork->now_ns, out.now_ns);
    EXPECT_EQ(fork->jobs.app[0].last_latency_ns, out.app[0].last_latency_ns);
  }
  EXPECT_TRUE(deep);
  EXPECT_TRUE(waking);
}

/// A shipped file with one line of it changed.
class IdleStatesFile : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  std::string refusal(const std::string& states) {
    std::ifstream in(find_config("platforms", "odroid_xu3"));
    std::stringstream text;
    text << in.rdbuf();
    std::string whole = text.str();
    const std::string before = "    opps:\n";
    whole.insert(whole.find(before), "    idle_states:\n" + states);
    std::ofstream(path_) << whole;
    try {
      load_platform(path_);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  std::string path_ =
      (std::filesystem::temp_directory_path() / ("idle_" + std::to_string(getpid()) + ".yaml"))
          .string();
};

TEST_F(IdleStatesFile, FaultsAreNamedWithALine) {
  const std::string sleep =
      "      - {name: sleep, power_share: 0.5, exit_latency_us: 50, residency_us: 1000}\n";
  const auto next = [](const char* share, const char* exit, const char* residency,
                       const char* more = "") {
    return std::string("      - {name: off, power_share: ") + share + ", exit_latency_us: " + exit +
           ", residency_us: " + residency + more + "}\n";
  };
  EXPECT_EQ(refusal(sleep + next("0.1", "500", "5000", ", cluster_off: true")), "");
  using ::testing::AllOf;
  using ::testing::HasSubstr;
  const auto expect = [&](const std::string& states, const char* key, const char* why) {
    const std::string text = refusal(states);
    EXPECT_THAT(text, AllOf(HasSubstr(".yaml:"), HasSubstr(key), HasSubstr(why),
                            ::testing::Not(HasSubstr("\n"))))
        << states;
  };
  expect(next("1", "500", "5000"), "'power_share'", "it saves nothing");
  expect(next("1.5", "500", "5000"), "'power_share'", "1.5");
  expect(next("0.1", "6000", "5000"), "'residency_us'", "below the exit latency");
  expect(next("0.1", "0", "0"), "'residency_us'", "0");
  expect(sleep + next("0.6", "500", "5000"), "'power_share'", "not below");
  expect(sleep + next("0.1", "500", "1000"), "'residency_us'", "not above");
  expect(sleep + next("0.1", "20", "5000"), "'exit_latency_us'", "below that of the state");
  expect(next("0.5", "20", "500", ", cluster_off: true") +
             "      - {name: deep, power_share: 0.1, exit_latency_us: 50, residency_us: 1000}\n",
         "'cluster_off'", "needs the whole cluster");
  expect(sleep +
             "      - {name: sleep, power_share: 0.1, exit_latency_us: 60, residency_us: "
             "2000}\n",
         "'name'", "another state");
  expect("      - {name: sleep, power: 0.1, exit_latency_us: 60, residency_us: 2000}\n", "'power'",
         "power_share");
  std::string many;
  for (int i = 0; i < 11; ++i) {
    many += "      - {name: s" + std::to_string(i) +
            ", power_share: " + std::to_string(0.9 - 0.05 * i) +
            ", exit_latency_us: 1, residency_us: " + std::to_string(10 + i) + "}\n";
  }
  expect(many, "'idle_states'", "10");
}

TEST(IdleStates, ShippedBoardsHaveTheKnobsAndCostsOfThoseWithout) {
  for (const std::string name : {"odroid_xu3", "rk3588"}) {
    const PlatformSpec without = load_platform(name), with = load_platform(name + "_idle");
    EXPECT_FALSE(has_idle_states(without));
    EXPECT_TRUE(has_idle_states(with));
    ASSERT_EQ(with.clusters.size(), without.clusters.size());
    ASSERT_EQ(with.apps.size(), without.apps.size());
    EXPECT_NE(with.content_hash, without.content_hash);
    for (std::size_t a = 0; a < with.apps.size(); ++a) {
      EXPECT_EQ(with.apps[a].name, without.apps[a].name);
      for (std::size_t c = 0; c < with.clusters.size(); ++c) {
        EXPECT_EQ(with.apps[a].unit[c].mcycles, without.apps[a].unit[c].mcycles);
        EXPECT_EQ(with.apps[a].unit[c].core_nf, without.apps[a].unit[c].core_nf);
      }
    }
    for (std::size_t c = 0; c < with.clusters.size(); ++c) {
      EXPECT_EQ(with.clusters[c].opps.size(), without.clusters[c].opps.size());
      EXPECT_EQ(with.clusters[c].leak_a, without.clusters[c].leak_a);
    }
  }
}

}  // namespace
}  // namespace flyball
