// The verbs that work: train, compare and run, end to end through the real program.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const std::vector<std::string> kMetrics = {"energy_mj_per_job", "deadline_miss_pct",
                                           "infeasible_pct",    "accuracy_pct",
                                           "latency_p50_ms",    "latency_p99_ms",
                                           "power_mean_mw",     "temp_peak_c",
                                           "throttled_s",       "transitions",
                                           "migrations",        "width_switches",
                                           "decide_p50_ns",     "energy_gap_to_oracle_pct"};

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
    EXPECT_EQ(row.size(), kMetrics.size() + 1);
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
  }
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
  for (const int signal : {SIGINT, SIGTERM}) {
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
    const json result = parsed(finished);
    EXPECT_EQ(result.at("interrupted"), true);
    ASSERT_EQ(result.at("policies").size(), 1u);
    EXPECT_GT(result.at("policies")[0].at("jobs"), 0);
    EXPECT_LT(result.at("policies")[0].at("measured_s"), 300.0);
    const json exported = parsed(flyball_run({"export", record, "--csv", dir / "csv", "--json"}));
    EXPECT_EQ(exported.at("complete"), true);
    EXPECT_GT(exported.at("jobs"), 0);
  }
}

TEST(CliRun, WithoutLearningAndWithoutComparison) {
  const Finished finished =
      flyball_run({"run", "--policy", "performance", "--duration", "1", "--no-compare"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("performance"));
  EXPECT_EQ(finished.out.find("schedutil"), std::string::npos);
  EXPECT_THAT(finished.out, HasSubstr("Accuracy of "));
}

}  // namespace
}  // namespace flyball::testing
