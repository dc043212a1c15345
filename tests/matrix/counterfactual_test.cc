// What another policy would have had in a recorded run, by simulation: held against really running it.

#include "governor/replay/counterfactual.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "agents/agent.h"
#include "env/sim/simulator.h"
#include "governor/metrics/session.h"
#include "governor/record/block_writer.h"
#include "governor/record/recorder.h"
#include "governor/replay/recorded_decisions.h"
#include "governor/replay/recorded_tasks.h"
#include "governor/replay/replay.h"
#include "kernels/base/random.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr std::int64_t kSecondNs = 1'000'000'000;

class CounterfactualTest : public ::testing::Test {
 protected:
  Scenario scenario(const std::string& name, double seconds) const {
    Scenario loaded = load_scenario(name, spec_);
    const auto end_ns = static_cast<std::int64_t>(seconds * 1e9);
    loaded.duration_ns = end_ns;
    for (AppSpec& app : loaded.apps) app.stop_ns = std::min(app.stop_ns, end_ns);
    return loaded;
  }
  /// Really, on a board that is as `truth` says.
  Metrics run(const PlatformSpec& truth, const Scenario& scenario, const std::string& policy,
              bool recorded = false, std::uint64_t seed = 5) const {
    Simulator board(truth, scenario, {.seed = seed});
    std::unique_ptr<Recorder> recorder;
    SessionOptions options;
    if (recorded) {
      recorder = std::make_unique<Recorder>(
          path_, recording_info(truth, belief_, scenario, policy, seed, weights_),
          Recorder::Options{.wait_for_disk = true});
      options.sinks = {recorder.get()};
    }
    const auto agent = make_agent(policy, {belief_, weights_, seed, nullptr});
    const Metrics metrics = run_session(board, belief_, *agent, weights_, options).metrics;
    if (recorder) {
      EXPECT_EQ(recorder->finish(), "");
    }
    return metrics;
  }
  Metrics run(const Scenario& scenario, const std::string& policy, bool recorded = false) const {
    return run(spec_, scenario, policy, recorded);
  }
  Counterfactual told(const std::string& policy) const {
    const auto agent = make_agent(policy, {belief_, weights_, 5, nullptr});
    return counterfactual(path_, spec_, belief_, *agent);
  }
  Metrics played(const Scenario& scenario, const std::string& policy) const {
    const auto agent = make_agent(policy, {belief_, weights_, 5, nullptr});
    return play_policy(spec_, scenario, belief_, *agent);
  }
  static double off_pct(double value, double truth) { return 100 * std::abs(value / truth - 1); }

  const TempDir dir_;
  const std::string path_ = dir_ / "run.flyrec";
  const PlatformSpec spec_ = load_platform("odroid_xu3");
  const Belief belief_ = Belief::of(spec_);
  const RewardWeights weights_ = reward_weights(belief_);
};

TEST_F(CounterfactualTest, TellsWhatAPolicyReallyHasWhereJobsAreCoupled) {
  struct Case {
    const char* scenario;
    double seconds;
    const char* recorded;
    const char* other;
  };
  // Two applications, one of which comes and asks for more; queues; other load and heat.
  for (const Case& one : {Case{"dual_dnn", 80, "q_learning", "schedutil"},
                          Case{"bursty", 40, "q_learning", "schedutil"},
                          Case{"background", 40, "schedutil", "q_learning"}}) {
    SCOPED_TRACE(one.scenario);
    const Scenario happened = scenario(one.scenario, one.seconds);
    const Metrics recorded = run(happened, one.recorded, true);
    const Metrics truth = run(happened, one.other);
    const Counterfactual found = told(one.other);
    ASSERT_EQ(found.refusal, "");
    EXPECT_LT(off_pct(found.recorded.energy_mj_per_job, recorded.energy_mj_per_job), 0.01);
    EXPECT_LT(off_pct(found.replayed.energy_mj_per_job, recorded.energy_mj_per_job), 0.5);
    EXPECT_LT(off_pct(found.other.energy_mj_per_job, truth.energy_mj_per_job), 1);
    EXPECT_NEAR(found.other.deadline_miss_pct, truth.deadline_miss_pct, 1.5);
    EXPECT_NEAR(found.other.accuracy_pct, truth.accuracy_pct, 0.2);
    EXPECT_LT(off_pct(found.other.latency_p50_ms, truth.latency_p50_ms), 2);
    // The two policies are much further apart.
    EXPECT_GT(off_pct(truth.energy_mj_per_job, recorded.energy_mj_per_job), 5);
  }
}

TEST_F(CounterfactualTest, OtherLoadOnAFullHotClusterIsTakenForWhatItIs) {
  // Four threads beside a load of two cores, until the clock is held down.
  const Scenario happened = scenario("thermal_soak", 80);
  const Metrics recorded = run(spec_, happened, "schedutil", true, 2);
  EXPECT_GT(recorded.temp_peak_c, 80);
  const RecordedRun read = read_recorded_run(path_, spec_);
  const RecordedScenario found = recorded_scenario(read, spec_);
  ASSERT_EQ(found.refusal, "");
  const Metrics replayed = play_recorded_decisions(read, spec_, found.scenario, weights_);
  EXPECT_LT(off_pct(replayed.energy_mj_per_job, recorded.energy_mj_per_job), 0.5);
  EXPECT_NEAR(replayed.temp_peak_c, recorded.temp_peak_c, 2);
  for (const char* other : {"rule", "planner"}) {
    SCOPED_TRACE(other);
    const Metrics truth = run(spec_, happened, other, false, 2);
    const Metrics told = played(found.scenario, other);
    EXPECT_LT(off_pct(told.energy_mj_per_job, truth.energy_mj_per_job), 1);
    EXPECT_NEAR(told.deadline_miss_pct, truth.deadline_miss_pct, 1);
    EXPECT_NEAR(told.temp_peak_c, truth.temp_peak_c, 1);
  }
}

TEST_F(CounterfactualTest, QueuesAreAsLongAsTheRecordSaysAndAssumedInRecordsOfBefore) {
  const Scenario happened = scenario("bursty", 40);
  ASSERT_GT(happened.apps[0].queue_limit, AppSpec().queue_limit);
  run(spec_, happened, "schedutil", true, 1);
  const Metrics truth = run(spec_, happened, "rule", false, 1);
  const Counterfactual found = told("rule");
  ASSERT_EQ(found.refusal, "");
  EXPECT_TRUE(found.assumed.empty());
  EXPECT_EQ(found.other.jobs, truth.jobs);
  EXPECT_LT(off_pct(found.other.energy_mj_per_job, truth.energy_mj_per_job), 0.5);

  RecordedRun before = read_recorded_run(path_, spec_);
  before.report.info.workload = {};
  const RecordedScenario assumed = recorded_scenario(before, spec_);
  ASSERT_EQ(assumed.refusal, "");
  EXPECT_THAT(assumed.assumed, ::testing::ElementsAre(HasSubstr("was taken to be 4")));
  EXPECT_EQ(assumed.scenario.apps[0].queue_limit, AppSpec().queue_limit);
}

TEST_F(CounterfactualTest, TheBatteryIsThatOfTheScenario) {
  Scenario happened = scenario("single_periodic", 5);
  happened.battery_mj = 2e6;
  happened.battery_pct = 60;
  happened.battery_until_ns = 3'600 * kSecondNs;
  run(spec_, happened, "rule", true);
  const RecordedScenario found = recorded_scenario(read_recorded_run(path_, spec_), spec_);
  ASSERT_EQ(found.refusal, "");
  EXPECT_EQ(found.scenario.battery_mj, 2e6);
  EXPECT_EQ(found.scenario.battery_pct, 60);
  EXPECT_EQ(found.scenario.battery_until_ns, happened.battery_until_ns);
}

TEST_F(CounterfactualTest, ARecordTooLongForMemoryIsRefusedAndStillHasFigures) {
  const Metrics had = run(scenario("single_periodic", 5), "schedutil", true);
  const RecordedRun cut = read_recorded_run(path_, spec_, 20);
  EXPECT_EQ(cut.epochs.size(), 20u);
  EXPECT_EQ(cut.metrics.jobs, had.jobs);
  EXPECT_THAT(recorded_scenario(cut, spec_).refusal, HasSubstr("more than 20 epochs"));
}

TEST_F(CounterfactualTest, TheRecordsWorkAndLoadAreWhatMakesItTrue) {
  const Scenario happened = scenario("contention", 60);
  run(happened, "q_learning", true);
  const Metrics truth = run(happened, "schedutil");
  const RecordedRun recorded = read_recorded_run(path_, spec_);
  const RecordedScenario found = recorded_scenario(recorded, spec_);
  ASSERT_EQ(found.refusal, "");
  const auto missed_by = [&](const Scenario& scenario) {
    return std::abs(played(scenario, "schedutil").deadline_miss_pct - truth.deadline_miss_pct);
  };
  Scenario shuffled = found.scenario, alone = found.scenario;
  Random random(1, 2);
  auto& jobs = shuffled.apps[0].arrival.listed;
  for (std::size_t i = jobs.size(); i-- > 1;) {
    const auto other = static_cast<std::size_t>(random.uniform(0, 1) * static_cast<double>(i));
    std::swap(jobs[i].work, jobs[other].work);
  }
  alone.background.clear();
  EXPECT_LT(missed_by(found.scenario), 3);
  EXPECT_GT(missed_by(shuffled), 10);
  EXPECT_LT(off_pct(played(found.scenario, "schedutil").energy_mj_per_job, truth.energy_mj_per_job),
            1);
  EXPECT_GT(off_pct(played(alone, "schedutil").energy_mj_per_job, truth.energy_mj_per_job), 10);
}

TEST_F(CounterfactualTest, WithoutItsBeginningARecordIsRefused) {
  run(scenario("background", 3), "rule", true);
  std::string bytes = read_text(path_);
  const std::size_t block = bytes.find(kBlockMagic);
  ASSERT_NE(block, std::string::npos);
  bytes[block + 40] ^= 1;
  std::ofstream(path_, std::ios::binary) << bytes;
  EXPECT_THAT(told("schedutil").refusal, HasSubstr("before its first epoch cannot be read"));
}

TEST_F(CounterfactualTest, AmbientTemperatureAndBatteryAreFound) {
  Scenario happened = scenario("single_periodic", 60);
  happened.ambient_c = 10;
  happened.battery_mj = 1e6;
  happened.events.push_back({20 * kSecondNs, ScenarioEvent::Kind::kAmbient, -1, {}, 40});
  run(happened, "schedutil", true);
  const RecordedRun recorded = read_recorded_run(path_, spec_);
  const RecordedScenario found = recorded_scenario(recorded, spec_);
  ASSERT_EQ(found.refusal, "");
  EXPECT_NEAR(found.scenario.ambient_c, 10, 0.5);
  ASSERT_FALSE(found.scenario.events.empty());
  EXPECT_NEAR(found.scenario.events.back().value, 40, 0.5);
  EXPECT_LT(off_pct(found.scenario.battery_mj, 1e6), 2);
  EXPECT_LT(off_pct(played(found.scenario, "rule").temp_peak_c, run(happened, "rule").temp_peak_c),
            1);
}

TEST_F(CounterfactualTest, AModelThatIsWrongShowsAsItsError) {
  PlatformSpec hungry = spec_;
  hungry.board_mw += 100;
  run(hungry, scenario("single_periodic", 20), "schedutil", true);
  const Counterfactual found = told("rule");
  EXPECT_NEAR(found.recorded.power_mean_mw - found.replayed.power_mean_mw, 100, 2);
}

TEST_F(CounterfactualTest, WhatCannotBePlayedIsRefusedWithTheReason) {
  run(scenario("single_periodic", 5), "schedutil", true);
  PlatformSpec other = spec_;
  other.apps[0].name = "another";
  const auto agent = make_agent("rule", {belief_, weights_, 5, nullptr});
  EXPECT_THAT(counterfactual(path_, other, belief_, *agent).refusal,
              HasSubstr("is none of the platform's applications"));
  EXPECT_THROW(read_recorded_run(path_, load_platform("jetson_nano")), std::exception);
}

TEST(CliCounterfactual, ASimulatedRunIsRecordedAndReplayed) {
  const TempDir dir;
  const std::string record = dir / "run.flyrec";
  const std::vector<std::string> words = {"run",       "--platform", "odroid_xu3", "--scenario",
                                          "dual_dnn",  "--duration", "30",         "--policy",
                                          "schedutil", "--record",   record,       "--json"};
  const Finished ran = flyball_run(words);
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const json run = json::parse(ran.out);
  EXPECT_TRUE(run.at("simulated").get<bool>());

  const Finished replayed = flyball_run({"replay", record, "--policy", "rule", "--json"});
  ASSERT_EQ(replayed.exit_code, 0) << replayed.err;
  const json found = json::parse(replayed.out);
  EXPECT_THAT(found.at("reason").get<std::string>(), HasSubstr("several applications"));
  const json& simulation = found.at("simulation");
  EXPECT_TRUE(simulation.at("reason").is_null());
  const json& energy = simulation.at("figures").at("energy_mj_per_job");
  const double recorded = run.at("figures").at("energy_mj_per_job").get<double>();
  EXPECT_NEAR(energy.at("recorded").get<double>() / recorded, 1, 1e-3);
  EXPECT_LT(std::abs(energy.at("model_error").get<double>()), 0.01 * recorded);
  EXPECT_LT(energy.at("difference").get<double>(), -0.3 * recorded);  // width and mapping pay
  EXPECT_THAT(flyball_run({"replay", record, "--policy", "rule"}).out,
              HasSubstr("as good as its model"));
  const Finished refused = flyball_run(
      {"run", "--platform", "odroid_xu3", "--record", record, "--learn-to", dir / "a.policy"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--learn-to: has no meaning in a simulation"));
}

class CliComparedRecord : public ::testing::Test {
 protected:
  json recorded(const std::string& scenario, const std::vector<std::string>& more) const {
    std::vector<std::string> words = {"run",    "--platform", "odroid_xu3", "--scenario",
                                      scenario, "--policy",   "schedutil",  "--seed",
                                      "4",      "--record",   record_,      "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const Finished ran = flyball_run(words);
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    return json::parse(ran.out).at("figures");
  }
  static Finished compared(const std::vector<std::string>& more) {
    std::vector<std::string> words = {"compare", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return flyball_run(words);
  }
  static double energy(const json& comparison, std::size_t policy) {
    return comparison.at("policies")[policy].at("energy_mj_per_job").at("mean").get<double>();
  }
  const TempDir dir_;
  const std::string record_ = dir_ / "run.flyrec";
};

TEST_F(CliComparedRecord, StandsWithItsOwnFiguresAmongOthersOnItsWorkload) {
  const json run = recorded("dual_dnn", {"--duration", "8"});
  const std::vector<std::string> words = {"--platform", "odroid_xu3", "--policies",
                                          "rule,schedutil,mine=" + record_};
  const Finished finished = compared(words);
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json found = json::parse(finished.out);
  EXPECT_EQ(found.at("policies")[2].at("policy"), "mine");
  const double mine = energy(found, 2);
  EXPECT_NEAR(mine, run.at("energy_mj_per_job").get<double>(), 0.1);
  EXPECT_NEAR(energy(found, 1) / mine, 1, 0.01) << "the policy that was recorded, simulated again";
  EXPECT_LT(energy(found, 0), 0.8 * mine);
  EXPECT_TRUE(found.at("policies")[2].at("energy_gap_to_bound_pct").at("mean").is_null());
  EXPECT_THAT(finished.out, HasSubstr("mine is the recorded run"));
  EXPECT_THAT(finished.out, HasSubstr("No gap of mine"));
  EXPECT_TRUE(found.at("policies")[0].at("energy_mj_per_job").at("ci95")[0].is_null());
  EXPECT_THAT(found.at("no_interval_reason").get<std::string>(), HasSubstr("one seed"));

  const auto refused = [&](const std::vector<std::string>& words, const std::string& why) {
    const Finished wrong = compared(words);
    EXPECT_EQ(wrong.exit_code, 2) << wrong.out;
    EXPECT_EQ(wrong.out, "");
    EXPECT_THAT(wrong.err, HasSubstr(why));
  };
  const std::string policies = "rule,mine=" + record_;
  refused({"--platform", "jetson_nano", "--policies", policies}, "is of a platform 'odroid_xu3'");
  refused({"--platform", "odroid_xu3", "--policies", policies, "--scenario", "bursty"},
          "is of scenario 'dual_dnn'");
  refused({"--platform", "odroid_xu3", "--policies", policies, "--seeds", "3"}, "was of one seed");
  refused({"--platform", "odroid_xu3", "--policies", "rule,schedutil"}, "--scenario is required");
}

TEST_F(CliComparedRecord, IsPairedWithOthersOnItsSeedOfItsScenario) {
  const std::string scenario = dir_ / "short.yaml";
  std::ofstream(scenario) << "schema: 1\nname: short\ndescription: short\nduration_s: 6\napps:\n"
                             "  - {name: camera, profile: dynamic_cnn, arrival: {kind: periodic, "
                             "period_x: 2}, work_cv: 0.2, deadline_x: 2}\n";
  recorded(scenario, {});
  const std::vector<std::string> where = {"--platform", "odroid_xu3", "--scenario", scenario,
                                          "--policies"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), where.begin(), where.end());
    const Finished finished = compared(more);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return json::parse(finished.out);
  };
  const json found = with({"rule,mine=" + record_});
  const json really = with({"rule,schedutil", "--seeds", "1", "--seed", "4"});
  EXPECT_EQ(energy(found, 0), energy(really, 0));
  EXPECT_NEAR(energy(found, 1), energy(really, 1), 0.01);

  // The record of a run that was cut off is not of all the scenario.
  const std::string bytes = read_text(record_);
  std::ofstream(record_, std::ios::binary) << bytes.substr(0, bytes.size() - 9);
  std::vector<std::string> words = where;
  words.push_back("rule,mine=" + record_);
  const Finished cut = compared(words);
  EXPECT_EQ(cut.exit_code, 2);
  EXPECT_THAT(cut.err, HasSubstr("is not whole"));
}

TEST_F(CliComparedRecord, WhatFaultySensorsShowedIsNotHeldAgainstWhatWasTrue) {
  const std::string scenario = dir_ / "faulty.yaml";
  std::ofstream(scenario) << "schema: 1\nname: faulty\ndescription: faulty\nduration_s: 3\napps:\n"
                             "  - {name: camera, profile: dynamic_cnn, arrival: {kind: periodic, "
                             "period_x: 2}, deadline_x: 2}\n"
                             "sensors: {power: {noise_pct: 10}}\n";
  recorded(scenario, {});
  const std::string policies = "rule,mine=" + record_;
  const Finished refused =
      compared({"--platform", "odroid_xu3", "--scenario", scenario, "--policies", policies});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("faulty sensors"));
  const Finished own = compared({"--platform", "odroid_xu3", "--policies", policies});
  EXPECT_EQ(own.exit_code, 0) << own.err;
  EXPECT_THAT(own.out, HasSubstr("as its sensors said"));
}

// What a thread takes is in no platform file, and is found in the record: tasks at other clocks on another
// cluster, some of them waiting for memory, held against really running the other governor.
TEST_F(CounterfactualTest, PlainLoadIsReplayedByWhatItsActivationsTook) {
  for (const char* name : {"video", "browser"}) {
    SCOPED_TRACE(name);
    PlatformSpec board = spec_;
    add_task_profiles(std::string(name), board);
    Scenario happened = load_scenario(name, board);
    happened.duration_ns = 10 * kSecondNs;
    for (AppSpec& app : happened.apps) app.stop_ns = std::min(app.stop_ns, happened.duration_ns);
    const Metrics recorded = run(board, happened, "schedutil", true);

    PlatformSpec known = spec_;
    add_task_profiles(recorded_tasks(path_, spec_), known);
    ASSERT_EQ(known.apps.size(), board.apps.size());
    const Belief belief = Belief::of(known);
    for (const char* other : {"performance", "powersave"}) {
      SCOPED_TRACE(other);
      const Metrics truth = run(board, happened, other);
      const auto agent = make_agent(other, {belief, weights_, 5, nullptr});
      const Counterfactual found = counterfactual(path_, known, belief, *agent);
      ASSERT_EQ(found.refusal, "");
      EXPECT_LT(off_pct(found.replayed.energy_mj_per_job, recorded.energy_mj_per_job), 1);
      EXPECT_LT(off_pct(found.other.power_mean_mw, truth.power_mean_mw), 2);
      EXPECT_NEAR(found.other.deadline_miss_pct, truth.deadline_miss_pct, 2);
    }
  }
}

TEST(CliCounterfactual, ARecordOfPlainLoadIsReplayed) {
  const TempDir dir;
  const std::string record = dir / "run.flyrec";
  ASSERT_EQ(flyball_run({"run", "--platform", "odroid_xu3", "--scenario", "audio", "--duration",
                         "3", "--policy", "schedutil", "--record", record})
                .exit_code,
            0);
  const Finished replayed = flyball_run({"replay", record, "--policy", "performance", "--json"});
  ASSERT_EQ(replayed.exit_code, 0) << replayed.err;
  const json simulation = json::parse(replayed.out).at("simulation");
  EXPECT_TRUE(simulation.at("reason").is_null()) << simulation;
  const json& power = simulation.at("figures").at("power_mean_mw");
  EXPECT_LT(std::abs(power.at("model_error").get<double>()),
            0.02 * power.at("recorded").get<double>());
  EXPECT_GT(power.at("difference").get<double>(), 0);
}

}  // namespace
}  // namespace flyball::testing
