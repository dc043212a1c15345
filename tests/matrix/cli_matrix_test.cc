#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "governor/metrics/metrics.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class CliMatrix : public ::testing::Test {
 protected:
  CliMatrix() {
    write("camera.yaml", "camera", "deadline_x: 2, accuracy_floor_pct: 62");
    write("late.yaml", "late", "deadline_x: 0.6, accuracy_floor_pct: 62");
  }
  void write(const std::string& file, const std::string& name, const std::string& asked) {
    std::ofstream(dir_ / file) << "schema: 1\nname: " << name
                               << "\ndescription: short\nduration_s: 3\napps:\n"
                                  "  - {name: camera, profile: dynamic_cnn, arrival: {kind: "
                                  "periodic, period_x: 2}, work_cv: 0.2, "
                               << asked << "}\n";
  }
  std::vector<std::string> arguments(const std::vector<std::string>& more) const {
    std::vector<std::string> all = {"compare",
                                    "--platform",
                                    "odroid_xu3,jetson_nano",
                                    "--scenario",
                                    dir_ / "camera.yaml",
                                    "--scenario",
                                    dir_ / "late.yaml",
                                    "--seeds",
                                    "3",
                                    "--policies",
                                    "performance,rule,oracle"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Finished run(const std::vector<std::string>& more) const { return flyball_run(arguments(more)); }
  std::string saved(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ / name, std::ios::binary) << text;
    return dir_ / name;
  }
  /// Exit status 2, one line, nothing on standard output.
  static void expect_refused(const Finished& finished, const std::string& why) {
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    EXPECT_EQ(finished.out, "");
    EXPECT_THAT(finished.err, AllOf(StartsWith("flyball: "), HasSubstr(why)));
    EXPECT_EQ(std::ranges::count(finished.err, '\n'), 1) << finished.err;
  }

  TempDir dir_;
};

TEST_F(CliMatrix, EveryPlatformRunsEveryScenarioAndAllWeighAlike) {
  const Finished finished = run({"--json", "--against", "rule"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json result = json::parse(finished.out);
  EXPECT_EQ(result.at("schema"), 2);
  ASSERT_EQ(result.at("cells").size(), 4u);
  double energy = 0, log_ratio = 0;
  for (const json& cell : result.at("cells")) {
    EXPECT_EQ(cell.at("schema"), 1);
    const auto of = [&](int policy) {
      return cell.at("policies").at(policy).at("energy_mj_per_job").at("per_seed");
    };
    energy += cell.at("policies").at(0).at("energy_mj_per_job").at("mean").get<double>() / 4;
    for (int s = 0; s < 3; ++s)
      log_ratio += std::log(of(0).at(s).get<double>() / of(1).at(s).get<double>()) / 12;
  }
  const json& fast = result.at("policies").at(0);
  EXPECT_NEAR(fast.at("energy_mj_per_job").at("mean"), energy, 1e-9);
  const json& off = result.at("differences").at("policies").at(0);
  EXPECT_EQ(off.at("policy"), "performance");
  const json& by = off.at("energy_mj_per_job");
  EXPECT_NEAR(by.at("mean"), 100 * std::expm1(log_ratio), 1e-9);
  EXPECT_EQ(by.at("unit"), "%");
  EXPECT_EQ(by.at("pairs"), 12);
  EXPECT_LE(by.at("ci95").at(0), by.at("mean"));
  EXPECT_LE(by.at("p"), by.at("p_holm"));
  // Misses and heat are never trimmed, energies are.
  EXPECT_TRUE(fast.at("energy_mj_per_job").contains("iqm"));
  for (const char* key : {"deadline_miss_pct", "temp_peak_c", "throttled_s"}) {
    EXPECT_FALSE(fast.at(key).contains("iqm")) << key;
    EXPECT_GE(fast.at(key).at("worst"), fast.at(key).at("mean")) << key;
    EXPECT_TRUE(fast.at(key).at("cvar10").is_null()) << key;
  }
  EXPECT_THAT(result.at("no_cvar10_reason").get<std::string>(), HasSubstr("fewer than 10 seeds"));
  // What no cell has a figure for has none over them, and says why, as each cell does.
  for (const json& policy : result.at("policies")) {
    int absent = 0;
    for (const auto& [key, figure] : policy.items()) {
      if (!figure.is_object() || !figure.contains("mean") || key == "optimality_gap_pct") continue;
      EXPECT_EQ(figure.at("mean").is_null(), policy.at("absent").contains(key)) << key;
      absent += figure.at("mean").is_null();
    }
    EXPECT_GT(absent, 0);
  }
  for (const json& policy : result.at("performance_profiles").at("policies"))
    EXPECT_TRUE(std::ranges::is_sorted(policy.at("share").get<std::vector<double>>()));
  // Measured times never are the same twice.
  EXPECT_EQ(run({"--json", "--against", "rule"}).out, finished.out);
  EXPECT_EQ(run({"--json", "--against", "rule", "--threads", "1"}).out, finished.out);
}

TEST_F(CliMatrix, TheTableRanksAndMarks) {
  const Finished finished = run({"--columns", "regret,fairness"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, AllOf(HasSubstr("4 comparisons, 3 seeds each"), HasSubstr("oracle ~"),
                                  HasSubstr("late on jetson_nano"), HasSubstr("regret"),
                                  Not(HasSubstr("\033["))));
  const Finished csv = run({"--csv"});
  EXPECT_EQ(std::ranges::count(csv.out, '\n'), 1 + 4 * 3 * 3);
  EXPECT_THAT(csv.out, Not(HasSubstr(",nan")));
  const std::string file = dir_ / "all.csv";
  const Finished both = run({"--csv", file, "--markdown"});
  EXPECT_EQ(both.exit_code, 0) << both.err;
  EXPECT_EQ(read_text(file), csv.out);
  EXPECT_THAT(both.out, HasSubstr("| policy |"));
}

TEST_F(CliMatrix, RequirementsAreOfEveryCell) {
  const Finished finished = run({"--json", "--require", "rule:deadline_miss_pct<=1"});
  const json judged = json::parse(finished.out).at("requirements");
  ASSERT_EQ(judged.size(), 4u);
  for (const json& one : judged) EXPECT_EQ(one.at("met"), one.at("value") <= 1) << one;
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("rule in late on odroid_xu3: deadline_miss_pct is "));
}

TEST_F(CliMatrix, ShardsTogetherAreTheWholeByteForByte) {
  for (const int count : {2, 5}) {
    std::vector<std::string> merge = {"merge"};
    // In whatever order they come.
    for (int i = count; i >= 1; --i) {
      const std::string part = std::to_string(i) + "/" + std::to_string(count);
      const Finished shard = run({"--shard", part});
      ASSERT_EQ(shard.exit_code, 0) << shard.err;
      EXPECT_TRUE(json::accept(shard.out));
      merge.push_back(saved("shard" + std::to_string(i) + "of" + std::to_string(count), shard.out));
    }
    const std::vector<std::vector<std::string>> outputs =
        count == 2 ? std::vector<std::vector<std::string>>{{"--json"}, {"--csv"}, {}}
                   : std::vector<std::vector<std::string>>{{"--json"}};
    for (const auto& output : outputs) {
      std::vector<std::string> words = merge;
      words.insert(words.end(), output.begin(), output.end());
      const Finished merged = flyball_run(words);
      EXPECT_EQ(merged.exit_code, 0) << merged.err;
      EXPECT_EQ(merged.out, run(output).out) << count;
    }
  }
}

TEST_F(CliMatrix, ShardsThatDoNotBelongTogetherAreRefused) {
  const std::string one = saved("one", run({"--shard", "1/2"}).out);
  const std::string two = saved("two", run({"--shard", "2/2"}).out);
  expect_refused(flyball_run({"merge", one}), "shard 2/2 is missing");
  expect_refused(flyball_run({"merge", one, two, one}), "is shard 1/2, which " + one + " is too");
  const std::string third = saved("third", run({"--shard", "2/3"}).out);
  expect_refused(flyball_run({"merge", one, third}), "is shard 2/3, and " + one + " is shard 1/2");
  const std::string seeds = saved("seeds", run({"--shard", "2/2", "--seed", "9"}).out);
  expect_refused(flyball_run({"merge", one, seeds}), "is of another comparison");
  // The same names, another file: what is compared is what is in it.
  write("late.yaml", "late", "deadline_x: 0.7, accuracy_floor_pct: 62");
  const std::string changed = saved("changed", run({"--shard", "2/2"}).out);
  expect_refused(flyball_run({"merge", one, changed}),
                 "files or learned policies of late on odroid_xu3 differ");
  std::string damaged = read_text(two);
  damaged[damaged.find("\"policies\":[[") + 14] ^= 1;
  expect_refused(flyball_run({"merge", one, saved("damaged", damaged)}), "damaged");
  expect_refused(flyball_run({"merge", one, saved("short", damaged.substr(0, 2000))}), "cut short");
  expect_refused(flyball_run({"merge", one, saved("empty", "")}), "has no record");
  expect_refused(flyball_run({"merge", one, saved("other", "{\"schema\": 1}\n")}), "");
  for (const char* shard : {"0/2", "3/2", "1", "a/b", "1/2/3"})
    expect_refused(run({"--shard", shard}), "is not of the form I/N");
}

TEST_F(CliMatrix, WhatIsInAStateFileIsNotRunAgainAndTheResultIsTheSame) {
  const std::string whole = run({"--json"}).out, state = dir_ / "state";
  ASSERT_EQ(run({"--json", "--resume", state}).out, whole);
  const std::string all = read_text(state);
  // As a crash leaves it: some seeds, and a line that was not written to its end.
  std::size_t end = 0;
  for (int line = 0; line < 7; ++line) end = all.find('\n', end) + 1;
  saved("state", all.substr(0, end + 40));
  EXPECT_EQ(run({"--json", "--resume", state}).out, whole);
  EXPECT_THAT(read_text(state), StartsWith(all.substr(0, end)));
  // Nothing is left to run, and the file stays.
  const std::string done = read_text(state);
  EXPECT_EQ(run({"--json", "--resume", state}).out, whole);
  EXPECT_EQ(read_text(state), done);
  EXPECT_EQ(flyball_run({"merge", state, "--json"}).out, whole);
  expect_refused(run({"--resume", state, "--seed", "5"}), "the first seed is 1 there, 5 here");
  EXPECT_EQ(read_text(state), done);
  const std::string foreign = saved("foreign", "a text of somebody's\n");
  expect_refused(run({"--resume", foreign}), "foreign");
  EXPECT_EQ(read_text(foreign), "a text of somebody's\n");
}

TEST_F(CliMatrix, AnInterruptedOneGoesOn) {
  const std::string state = dir_ / "state";
  const std::vector<std::string> words = {"compare",
                                          "--platform",
                                          "odroid_xu3",
                                          "--scenario",
                                          dir_ / "camera.yaml",
                                          "--policies",
                                          "performance,rule",
                                          "--seeds",
                                          "40",
                                          "--json",
                                          "--resume",
                                          state};
  Flyball flyball(words);
  // Until some seeds are in the file: a line for what is compared, one for the cell, then seeds.
  while (std::ranges::count(read_text(state), '\n') < 4) std::this_thread::yield();
  flyball.signal(SIGINT);
  const Finished first = flyball.wait();
  const Finished rest = flyball_run(words);
  EXPECT_EQ(rest.exit_code, 0) << rest.err;
  std::vector<std::string> fresh = words;
  fresh.back() = dir_ / "fresh";
  EXPECT_EQ(rest.out, flyball_run(fresh).out);
  if (first.exit_code == 0) return;  // it was done before the signal came
  EXPECT_EQ(first.exit_code, 1);
  EXPECT_THAT(first.err, AllOf(HasSubstr("flyball: compare: interrupted after "),
                               HasSubstr("of 40 seeds; run it again, and it goes on")));
  const json partial = json::parse(first.out);
  const auto seeds = partial.at("policies").at(0).at("energy_mj_per_job").at("per_seed").size();
  EXPECT_EQ(partial.at("partial").at("seeds_done"), seeds);
  EXPECT_GE(seeds, 2u);
  EXPECT_LT(seeds, 40u);
}

TEST_F(CliMatrix, NamesAndFilesAreToldApart) {
  const std::string learned = dir_ / "mine.policy";
  ASSERT_EQ(flyball_run({"train", "--platform", "odroid_xu3", "--scenario", dir_ / "camera.yaml",
                         "--episodes", "1", "--out", learned})
                .exit_code,
            0);
  const auto of = [&](const std::string& policies) {
    return flyball_run({"compare", "--platform", "odroid_xu3", "--scenario", dir_ / "camera.yaml",
                        "--seeds", "1", "--json", "--policies", policies});
  };
  const Finished mixed = of("rule," + learned + ",other=" + learned);
  ASSERT_EQ(mixed.exit_code, 0) << mixed.err;
  const json result = json::parse(mixed.out);
  EXPECT_EQ(result.at("policies").at(1).at("policy"), "mine");
  EXPECT_EQ(result.at("policies").at(2).at("policy"), "other");
  EXPECT_EQ(result.at("policies").at(1).at("reward"), result.at("policies").at(2).at("reward"));
  EXPECT_EQ(result.at("policy_files").at("mine"), learned);
  expect_refused(of("rule,rule"), "names 'rule' twice");
  expect_refused(of(learned + "," + learned), "names");
  expect_refused(of("mine=" + learned + "," + learned), "there is a policy called 'mine' already");
  expect_refused(of("a:b=" + learned), "a:b");
  expect_refused(of("rulle"), "did you mean 'rule'?");
  expect_refused(of(dir_ / "none.policy"), "none.policy");
  expect_refused(of("mine="), "names no file");
  // A file that is called as another policy would be taken for that.
  std::filesystem::copy_file(learned, dir_ / "rule");
  expect_refused(of(dir_ / "rule"), "it is called as the policy 'rule'");
  expect_refused(flyball_run({"compare", "--platform", "odroid_xu3,odroid_xu3", "--scenario",
                              dir_ / "camera.yaml"}),
                 "twice");
  expect_refused(
      flyball_run({"compare", "--platform", "odroid_xu3:x", "--scenario", dir_ / "camera.yaml"}),
      "odroid_xu3:x");
}

TEST_F(CliMatrix, EveryMetricIsExplainedRequiredAndPrinted) {
  const Finished finished =
      flyball_run({"compare", "--platform", "odroid_xu3", "--scenario", dir_ / "camera.yaml",
                   "--seeds", "2", "--policies", "performance,model", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json result = json::parse(finished.out);
  const json& row = result.at("policies").at(1);
  std::string all;
  for (const MetricField& field : metric_fields()) {
    const std::string key(field.key);
    ASSERT_TRUE(row.contains(key)) << key;
    // What there is not is absent with a reason.
    EXPECT_EQ(row.at(key).at("mean").is_null(),
              row.contains("absent") && row.at("absent").contains(key))
        << key;
    EXPECT_FALSE(field.definition.empty() || field.formula.empty()) << key;
    all += (all.empty() ? "" : ",") + key + ">=-1e9";
  }
  EXPECT_EQ(row.at("absent").at("fairness"),
            "fewer than two applications, or none had a job on time");
  const Finished told = flyball_run({"compare", "--explain", "fairness"});
  EXPECT_THAT(told.out, AllOf(HasSubstr("unit      a number"), HasSubstr("formula   (sum x)^2"),
                              HasSubstr("Jain"), HasSubstr("Absent where")));
  const Finished required =
      flyball_run({"compare", "--platform", "odroid_xu3", "--scenario", dir_ / "camera.yaml",
                   "--seeds", "1", "--policies", "performance", "--require", all});
  EXPECT_NE(required.exit_code, 2) << required.err;
}

}  // namespace
}  // namespace flyball::testing
