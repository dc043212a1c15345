// The verbs that work: train, compare and run, end to end through the real program.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/governor/own_configs.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::string> kMetrics = {"energy_mj_per_job",
                                           "deadline_miss_pct",
                                           "infeasible_pct",
                                           "accuracy_pct",
                                           "latency_p50_ms",
                                           "latency_p99_ms",
                                           "power_mean_mw",
                                           "temp_peak_c",
                                           "throttled_s",
                                           "transitions",
                                           "migrations",
                                           "level_switches",
                                           "decide_p50_ns",
                                           "energy_gap_to_bound_pct",
                                           "energy_gap_to_best_found_pct",
                                           "energy_gap_to_informed_pct",
                                           "dropped_pct",
                                           "utility_pct"};
// Null for a policy that predicts nothing, without a budget, and but for plain load.
const std::vector<std::string> kScores = {"time_in_interval_pct", "energy_in_interval_pct",
                                          "over_budget_pct", "efficiency_pct"};

json parsed(const Finished& finished) {
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return json::parse(finished.out, nullptr, /*allow_exceptions=*/false);
}

/// Two policies, two seeds.
json compare_json(const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {
      "compare", "--platform", "odroid_xu3", "--scenario", "single_periodic",
      "--seeds", "2",          "--seed",     "7",          "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return parsed(flyball_run(arguments));
}

std::size_t lines_of(const std::string& path) {
  const std::string text = read_text(path);
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(CliCompare, OneRowPerPolicyWithEveryFigureAndItsInterval) {
  const json result = compare_json({"--policies", "performance,oracle"});
  EXPECT_EQ(result.at("schema"), 1);
  EXPECT_EQ(result.at("platform"), "odroid_xu3");
  EXPECT_EQ(result.at("scenario"), "single_periodic");
  EXPECT_EQ(result.at("seeds"), 2);
  ASSERT_EQ(result.at("policies").size(), 2u);
  EXPECT_EQ(result.at("policies")[0].at("policy"), "performance");
  EXPECT_EQ(result.at("policies")[1].at("policy"), "oracle");
  for (const json& row : result.at("policies")) {
    EXPECT_GE(row.size(), kMetrics.size() + kScores.size() + 1);
    for (const std::string& key : kScores) EXPECT_TRUE(row.at(key).contains("ci95")) << key;
    for (const std::string& key : kMetrics) {
      const json& figure = row.at(key);
      ASSERT_TRUE(figure.at("mean").is_number()) << key;
      EXPECT_LE(figure.at("ci95")[0], figure.at("mean")) << key;
      EXPECT_GE(figure.at("ci95")[1], figure.at("mean")) << key;
    }
  }
  const auto energy = [&](int row) -> double {
    return result.at("policies")[row].at("energy_mj_per_job").at("mean");
  };
  EXPECT_LT(energy(1), energy(0));  // the oracle against the highest frequency
}

TEST(CliCompare, SaysToWhatGapsAreAndWhyThereIsNone) {
  const std::vector<std::string> two = {"compare",        "--platform", "jetson_nano",
                                        "--scenario",     "dual_dnn",   "--policies",
                                        "rule,powersave", "--seeds",    "1"};
  const Finished told = flyball_run(two);
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out,
              AllOf(HasSubstr("gap to bound"), HasSubstr("gap to best found"),
                    HasSubstr("gap to informed"), HasSubstr("Lower bound: whoever"),
                    HasSubstr("leaves fewer jobs unmet"), Not(HasSubstr("gap to oracle"))));
  std::vector<std::string> as_json = two;
  as_json.push_back("--json");
  const json result = parsed(flyball_run(as_json));
  const json& missing = result.at("policies")[1];
  EXPECT_TRUE(missing.at("energy_gap_to_best_found_pct").at("mean").is_null());
  EXPECT_GE(missing.at("energy_gap_to_bound_pct").at("mean"), 0.0);
  EXPECT_THAT(std::string(result.at("no_gap_reason")), HasSubstr("powersave"));
  const json& bounds = result.at("bounds");
  EXPECT_LE(bounds.at("lower_bound_mj_per_job").at("mean"),
            bounds.at("best_found_mj_per_job").at("mean"));
  EXPECT_LE(bounds.at("best_found_mj_per_job").at("mean"),
            bounds.at("informed_mj_per_job").at("mean"));
  EXPECT_TRUE(bounds.at("no_bound_reason").is_null());
  EXPECT_TRUE(compare_json({"--policies", "performance"}).at("no_gap_reason").is_null());
}

TEST(CliCompare, SameSeedSameFigures) {
  json first = compare_json({"--policies", "schedutil,q_learning"});
  json second = compare_json({"--policies", "schedutil,q_learning"});
  for (json* result : {&first, &second}) {
    for (json& row : result->at("policies")) row.erase("decide_p50_ns");
  }
  EXPECT_EQ(first.dump(), second.dump());
}

TEST(CliTrain, MakesAPolicyThatCompareUses) {
  const TempDir dir;
  const std::string policy = dir / "learned.policy";
  const std::vector<std::string> train = {
      "train",  "--platform", "odroid_xu3", "--scenario", "single_periodic", "--episodes", "10",
      "--seed", "3",          "--out",      policy,       "--json"};
  const json report = parsed(flyball_run(train));
  EXPECT_EQ(report.at("agent"), "q_learning");
  EXPECT_EQ(report.at("episodes"), 10);
  ASSERT_EQ(report.at("curve").size(), 10u);
  EXPECT_EQ(report.at("curve").back().at("episodes"), 10);
  EXPECT_GT(report.at("curve")[0].at("energy_mj_per_job"), 0.0);

  const std::string bytes = read_text(policy);
  EXPECT_EQ(bytes.substr(0, 6), "FLYPOL");
  parsed(flyball_run(train));  // replaces it
  EXPECT_EQ(read_text(policy), bytes) << "the same seed must learn the same";

  const json result =
      compare_json({"--policies", "q_learning", "--policy-file", "q_learning=" + policy});
  EXPECT_EQ(result.at("policy_files").at("q_learning"), policy);
  ASSERT_EQ(result.at("policies").size(), 1u);

  // Learned on another platform: refused, not silently started untrained.
  const Finished refused =
      flyball_run({"compare", "--platform", "jetson_nano", "--scenario", "single_periodic",
                   "--policies", "q_learning", "--policy-file", "q_learning=" + policy});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr(policy));
  EXPECT_EQ(refused.out, "");
}

TEST(CliRun, GovernsRealJobsAndComparesThem) {
  const OwnConfigs configs;
  const TempDir dir;
  const std::string record = dir / "run.flyrec";
  const Finished finished = flyball_run({"run", "--duration", "3", "--compare-duration", "1",
                                         "--record", record, "--csv", dir / "csv", "--json"});
  const json result = parsed(finished);
  EXPECT_EQ(result.at("platform"), "host");
  EXPECT_EQ(result.at("interrupted"), false);
  EXPECT_EQ(result.at("emulated"), true);
  EXPECT_THAT(std::string(result.at("power_source")), HasSubstr("model"));
  EXPECT_FALSE(result.at("accuracy_source").empty());
  ASSERT_EQ(result.at("policies").size(), 3u);
  EXPECT_EQ(result.at("policies")[0].at("policy"), "q_learning");
  EXPECT_EQ(result.at("policies")[1].at("policy"), "performance");
  EXPECT_EQ(result.at("policies")[2].at("policy"), "schedutil");
  for (const json& row : result.at("policies")) {
    EXPECT_GT(row.at("jobs"), 0) << row;
    EXPECT_GT(row.at("energy_mj_per_job"), 0.0);
    EXPECT_GT(row.at("latency_p99_ms"), 0.0);
    EXPECT_GT(row.at("power_mean_mw"), 0.0);
    EXPECT_GT(row.at("accuracy_pct"), 50.0);
    EXPECT_GE(row.at("accuracy_measured_pct"), 0.0);
  }
  EXPECT_TRUE(result.at("profile").is_null());
  EXPECT_THAT(std::string(result.at("times_source")[0]), HasSubstr("no profile of this machine"));

  // What the agent turned between jobs adds up to all of them, and so do the images they saw.
  for (const json& row : result.at("policies")) {
    std::uint64_t jobs = 0, images = 0;
    for (const json& use : row.at("settings")) {
      jobs += use.at("jobs").get<std::uint64_t>();
      EXPECT_EQ(use.at("app"), "camera");
      EXPECT_THAT(std::string(use.at("mapping")), HasSubstr("cpux"));
      EXPECT_THAT(std::string(use.at("precision")), ::testing::AnyOf("fp32", "int8"));
    }
    EXPECT_EQ(jobs, row.at("jobs").get<std::uint64_t>());
    ASSERT_EQ(row.at("accuracy_monitor").size(), 8u);
    for (const json& level : row.at("accuracy_monitor")) {
      images += level.at("images").get<std::uint64_t>();
      EXPECT_EQ(level.at("measured_pct").is_null(), level.at("images") == 0);
    }
    EXPECT_GE(images, jobs);
  }
  // Linux's governors leave width, precision and the one core alone.
  const json& performance = result.at("policies")[1].at("settings");
  ASSERT_EQ(performance.size(), 1u);
  EXPECT_EQ(performance[0].at("mapping"), "cpux1");
  EXPECT_EQ(performance[0].at("width_pct"), 100);
  EXPECT_EQ(performance[0].at("precision"), "fp32");
  // What is said on the way, a line per second for a file.
  EXPECT_THAT(finished.err, HasSubstr("Times and deadlines are real"));
  EXPECT_THAT(finished.err, HasSubstr(" missed "));
  EXPECT_EQ(finished.err.find('\033'), std::string::npos);

  // One job per line after the heading; jobs that were still waiting at the end are in neither.
  EXPECT_GE(lines_of(dir / "csv/jobs.csv"),
            1 + result.at("policies")[0].at("jobs").get<std::size_t>());
  const json exported = parsed(flyball_run({"export", record, "--csv", dir / "again", "--json"}));
  EXPECT_EQ(exported.at("complete"), true);
  EXPECT_EQ(exported.at("policy"), "q_learning");
  EXPECT_EQ(lines_of(dir / "again/jobs.csv"), 1 + exported.at("jobs").get<std::size_t>());
}

TEST(CliRun, AnInterruptEndsItWithTheRecordComplete) {
  const OwnConfigs configs;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const TempDir dir;
    const std::string record = dir / "run.flyrec";
    Flyball flyball({"run", "--duration", "600", "--record", record, "--json"});
    // The first line of the stream says that it runs.
    for (int i = 0; i < 600 && flyball.err_so_far().find(" missed ") == std::string::npos; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    flyball.signal(signal);
    const Finished finished =
        flyball.wait();  // the stream would last ten minutes: the test's time-out is five
    EXPECT_EQ(finished.exit_code, 1);
    EXPECT_TRUE(
        finished.err.ends_with("\nflyball: run: interrupted before its end; run it again\n"))
        << finished.err;
    const json result = json::parse(finished.out);
    EXPECT_EQ(result.at("interrupted"), true);
    ASSERT_EQ(result.at("policies").size(), 1u);
    EXPECT_GT(result.at("policies")[0].at("jobs"), 0);
    EXPECT_LT(result.at("policies")[0].at("measured_s"), 300.0);
    const json exported = parsed(flyball_run({"export", record, "--csv", dir / "csv", "--json"}));
    EXPECT_EQ(exported.at("complete"), true);
    EXPECT_GT(exported.at("jobs"), 0);
  }
}

void wait_for_err(const Flyball& flyball, const std::string& text) {
  for (int i = 0; i < 600 && flyball.err_so_far().find(text) == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

TEST(CliRun, ASignalThatWasIgnoredStaysIgnored) {
  const OwnConfigs configs;
  Flyball flyball({"run", "--policy", "performance", "--duration", "3", "--no-compare", "--json"},
                  {.ignored_signal = SIGHUP});  // as nohup does
  wait_for_err(flyball, " missed ");
  flyball.signal(SIGHUP);
  EXPECT_EQ(parsed(flyball.wait()).at("interrupted"), false);
}

TEST(CliTrain, InterruptedItKeepsWhatWasLearnedSoFar) {
  const TempDir dir;
  const std::string policy = dir / "x.policy";
  Flyball train({"train", "--platform", "odroid_xu3", "--scenario", "single_periodic", "--episodes",
                 "1000000", "--out", policy});
  std::this_thread::sleep_for(std::chrono::seconds(3));
  train.signal(SIGTERM);
  const Finished finished = train.wait();  // a million episodes would last the test's time-out
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("flyball: train: interrupted after "));
  EXPECT_THAT(finished.err, HasSubstr("holds what was learned by then"));
  EXPECT_THAT(finished.out, HasSubstr("wrote " + policy));
  compare_json({"--policies", "q_learning", "--policy-file", "q_learning=" + policy});
}

TEST(CliTrain, SaysWhetherItHelped) {
  const TempDir dir;
  const auto train = [&](const std::string& episodes) {
    return parsed(flyball_run({"train", "--platform", "odroid_xu3", "--scenario", "single_periodic",
                               "--episodes", episodes, "--out", dir / "x.policy", "--json"}));
  };
  EXPECT_THAT(std::string(train("3").at("reward_gain").at("slope")), HasSubstr("four episodes"));
  const json trained = train("40");
  // Of the episodes in which it tried things out, told as that.
  const json& gain = trained.at("reward_gain");
  EXPECT_EQ(gain.at("episodes"), 4);
  EXPECT_LE(gain.at("ci95")[0], gain.at("mean"));
  EXPECT_GE(gain.at("ci95")[1], gain.at("mean"));
  EXPECT_THAT(std::string(gain.at("slope")), Not(HasSubstr("elped")));
  // Whether it helped, runs say that nothing was learned by.
  const json& tried = trained.at("validation");
  const std::string verdict = tried.at("verdict");
  const json& worth = tried.at("reward_gain");
  if (tried.at("kept") == 0) {
    EXPECT_THAT(verdict, HasSubstr("Training did not help"));
  } else {
    ASSERT_GE(worth.at("runs"), 2);
    const bool up = worth.at("ci95")[0] > 0, down = worth.at("ci95")[1] < 0;
    const bool same = worth.at("ci95")[0] == 0 && worth.at("ci95")[1] == 0;
    EXPECT_THAT(verdict, ::testing::StartsWith(up     ? "Training helped: "
                                               : down ? "Training made it worse: "
                                               : same ? "Training changed nothing: "
                                                      : "That training helped cannot be shown: "));
  }
  std::string text = flyball_run({"train", "--platform", "odroid_xu3", "--scenario",
                                  "single_periodic", "--episodes", "40", "--out", dir / "x.policy"})
                         .out;
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::size_t verdicts = 0;
  for (const char* words : {"raining helped", "raining made it worse", "raining changed nothing",
                            "raining did not help"}) {
    for (std::size_t at = text.find(words); at != text.npos; at = text.find(words, at + 1))
      ++verdicts;
  }
  EXPECT_EQ(verdicts, 1u) << text;
}

/// A camera whose jobs take longer than the scenario lasts, and one that cannot be met.
std::string scenario_file(const OwnConfigs& configs, const std::string& camera,
                          const std::string& duration_s) {
  std::ofstream(configs / "own.yaml")
      << "schema: 1\nname: own\nduration_s: " << duration_s
      << "\napps:\n  - {name: camera, profile: dynamic_cnn, " << camera << "}\n";
  return configs / "own.yaml";
}

TEST(CliCompare, WhatNobodyFinishedIsAbsentWithAReason) {
  const OwnConfigs configs;
  // The first job takes 13 ms and more.
  const std::string file =
      scenario_file(configs, "arrival: {kind: periodic, period_ms: 50}, deadline_ms: 40", "0.005");
  const std::vector<std::string> compare = {"compare",     "--platform", "odroid_xu3",
                                            "--scenario",  file,         "--policies",
                                            "performance", "--seeds",    "2"};
  std::vector<std::string> as_json = compare;
  as_json.push_back("--json");
  const json row = parsed(flyball_run(as_json)).at("policies")[0];
  EXPECT_TRUE(row.at("deadline_miss_pct").at("mean").is_null());
  EXPECT_TRUE(row.at("energy_mj_per_job").at("mean").is_null());
  EXPECT_EQ(row.at("reason"), "no job finished with 2 of 2 seeds");
  const Finished text = flyball_run(compare);
  EXPECT_THAT(text.out, HasSubstr("performance: no job finished with 2 of 2 seeds"));
}

TEST(CliWarnings, AreShownByEveryVerbThatLoadsTheScenario) {
  const OwnConfigs configs;
  const std::string file =
      scenario_file(configs, "arrival: {kind: periodic, period_ms: 50}, deadline_ms: 0.05", "1");
  const auto expect_warned = [&](std::vector<std::string> arguments) {
    const Finished text = flyball_run(arguments);
    EXPECT_EQ(text.exit_code, 0) << text.err;
    EXPECT_THAT(text.err, HasSubstr("Warning: "));
    EXPECT_THAT(text.err, HasSubstr("infeasible"));
    arguments.push_back("--json");
    const json warnings = parsed(flyball_run(arguments)).at("warnings");
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_THAT(std::string(warnings[0]), HasSubstr("infeasible"));
  };
  expect_warned({"compare", "--platform", "odroid_xu3", "--scenario", file, "--policies",
                 "performance", "--seeds", "1"});
  expect_warned({"train", "--platform", "odroid_xu3", "--scenario", file, "--episodes", "1",
                 "--out", configs / "x.policy"});
  expect_warned({"run", "--scenario", file, "--policy", "performance", "--no-compare"});
  expect_warned({"evaluate", "--platform", "odroid_xu3", "--scenario", file, "--agents", "model",
                 "--boards", "1", "--seeds", "1", "--quick"});
}

TEST(CliCompare, AFarDeadlineAndASignalInTheMiddleOfIt) {
  const OwnConfigs configs;
  const std::string camera = "arrival: {kind: periodic, period_x: 3}, deadline_x: 1e5";
  const std::string file = scenario_file(configs, camera, "3");
  parsed(flyball_run({"compare", "--platform", "odroid_xu3", "--scenario", file, "--policies",
                      "oracle", "--seeds", "1", "--json"}));
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    Flyball flyball({"compare", "--platform", "odroid_xu3", "--scenario", file, "--policies",
                     "static_best,oracle", "--seeds", "10000"});
    std::this_thread::sleep_for(std::chrono::seconds(1));
    flyball.signal(signal);
    const Finished finished = flyball.wait();  // it would last hours
    EXPECT_EQ(finished.exit_code, 1);
    EXPECT_EQ(finished.err,
              "flyball: compare: interrupted before every run was done; run it again\n");
    EXPECT_EQ(finished.out, "");
  }
}

TEST(CliRun, NoRoomForAThreadIsSaidAsThat) {
  const OwnConfigs configs;
  const Finished finished =
      Flyball({"run", "--duration", "1", "--no-compare"}, {.address_bytes = 50'000 * 1024}).wait();
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("memory"));
  EXPECT_THAT(finished.err, ::testing::Not(HasSubstr("ulimit -u")));
  EXPECT_THAT(finished.err, ::testing::Not(HasSubstr("internal error")));
}

TEST(CliRun, AMemoryLimitIsNamedWhereItIsTheCause) {
  const OwnConfigs configs;
  const Finished finished = Flyball({"profile", "--seconds", "0.1", "--out", configs / "x"},
                                    {.address_bytes = 30'000 * 1024})
                                .wait();
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_EQ(finished.err,
            "flyball: memory: this process may have no more than 30000 kB; raise the limit (ulimit "
            "-v), or ask for less\n");
}

TEST(CliRun, WithoutLearningAndWithoutComparison) {
  const OwnConfigs configs;
  const Finished finished =
      flyball_run({"run", "--policy", "performance", "--duration", "1", "--no-compare"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("performance"));
  EXPECT_EQ(finished.out.find("schedutil"), std::string::npos);
  EXPECT_THAT(finished.out, HasSubstr("Accuracy of "));
}

// A scenario whose floor rises from what a quarter of the network reaches to what only all of it
// does: the agent must turn the width, and int8 with it where that is quicker.
TEST(CliRun, TurnsWidthAndPrecisionBetweenJobs) {
  const OwnConfigs configs;
  std::ofstream(configs / "floors.yaml")
      << "schema: 1\nname: floors\nduration_s: 4\napps:\n"
         "  - {name: camera, profile: dynamic_cnn, arrival: {kind: periodic, period_x: 3},\n"
         "     deadline_x: 3, accuracy_floor_pct: 55}\n"
         "events:\n"
         "  - {at_s: 1, app: camera, accuracy_floor_pct: 62}\n"
         "  - {at_s: 2, app: camera, accuracy_floor_pct: 71.1}\n";
  const Finished finished =
      flyball_run({"run", "--scenario", configs / "floors.yaml", "--policy", "rule", "--no-compare",
                   "--record", configs / "r.flyrec", "--csv", configs / "csv", "--json"});
  const json result = parsed(finished);
  std::set<std::pair<int, std::string>> levels;
  for (const json& use : result.at("policies")[0].at("settings"))
    levels.emplace(use.at("width_pct").get<int>(), use.at("precision").get<std::string>());
  EXPECT_THAT(levels, ::testing::IsSupersetOf({std::pair<int, std::string>{25, "int8"},
                                               std::pair<int, std::string>{50, "int8"},
                                               std::pair<int, std::string>{100, "fp32"}}));
  EXPECT_GE(result.at("policies")[0].at("level_switches"), 2.0);
  // On the way, in the reasons given, and in the record.
  EXPECT_THAT(finished.err, HasSubstr("width  25 % int8"));
  EXPECT_THAT(finished.err, HasSubstr("width 100 %,"));
  EXPECT_THAT(finished.err, HasSubstr("width 25 int8 in"));
  const std::string jobs = read_text(configs / "csv/jobs.csv");
  EXPECT_THAT(jobs, HasSubstr(",width_pct,precision,accuracy_pct,"));
  EXPECT_THAT(jobs, HasSubstr(",25,int8,55.5,"));
  EXPECT_THAT(jobs, HasSubstr(",100,fp32,71.2,"));
  EXPECT_THAT(read_text(configs / "csv/epochs.csv"),
              HasSubstr("applied.camera.level.width_pct,applied.camera.level.precision,"));
}

TEST(CliRun, SaysWhatHappenedJobByJob) {
  const OwnConfigs configs;
  const Finished finished = flyball_run({"run", "--duration", "1", "--no-compare"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("What q_learning chose from job to job:"));
  EXPECT_THAT(finished.out, HasSubstr("promised  measured"));
  EXPECT_THAT(finished.out, HasSubstr("measure it with 'flyball profile'"));
}

}  // namespace
}  // namespace flyball::testing
