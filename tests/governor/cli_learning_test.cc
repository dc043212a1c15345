// What a policy file is of, who takes it, and what a run keeps of what it learns.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/governor/own_configs.h"
#include "tests/governor/stored_policies.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

json parsed(const Finished& finished) {
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return json::parse(finished.out, nullptr, /*allow_exceptions=*/false);
}

Finished train(const std::string& platform, const std::string& out,
               const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {
      "train",      "--platform", platform, "--scenario", "single_periodic",
      "--episodes", "2",          "--out",  out,          "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return flyball_run(arguments);
}

Finished compare(const std::string& platform, const std::vector<std::string>& more,
                 const std::string& scenario = "single_periodic") {
  std::vector<std::string> arguments = {"compare", "--platform", platform,     "--scenario",
                                        scenario,  "--policies", "q_learning", "--seeds",
                                        "1",       "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return flyball_run(arguments);
}

/// A second of a live run.
Finished run(const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"run", "--duration", "1", "--no-compare", "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return flyball_run(arguments);
}

void expect_refused(const Finished& finished, const std::string& why) {
  EXPECT_EQ(finished.exit_code, 2) << finished.err;
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr(why));
}

class CliPolicyIdentity : public ::testing::Test {
 protected:
  CliPolicyIdentity() {
    const Finished trained = train("odroid_xu3", policy_);
    EXPECT_EQ(trained.exit_code, 0) << trained.err;
  }
  /// The board's file, with one text replaced by another.
  std::string board_with(const std::string& from, const std::string& to) const {
    std::string text = read_text(configs_.config("platforms/odroid_xu3.yaml"));
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    std::ofstream(configs_ / "board.yaml") << text.replace(at, from.size(), to);
    return configs_ / "board.yaml";
  }
  std::string given() const { return "q_learning=" + policy_; }

  const OwnConfigs configs_;
  const std::string policy_ = configs_ / "x.policy";
};

TEST_F(CliPolicyIdentity, OneOtherNumberOfThePlatformIsAnotherPlatform) {
  const std::string board = board_with("uncore_nf: 0.21", "uncore_nf: 0.22");
  expect_refused(compare(board, {"--policy-file", given()}),
                 "it was learned on a 'odroid_xu3' whose platform file had other numbers; train it "
                 "again, or take it as a prior with --from");
  // On purpose, as a prior, it is taken.
  const json result = parsed(compare(board, {"--from", given()}));
  EXPECT_EQ(result.at("policy_files").at("q_learning"), policy_);
  expect_refused(compare(board, {"--from", policy_}), "is not of the form NAME=FILE");
  expect_refused(compare(board, {"--from", given(), "--policy-file", given()}),
                 "leave one of the two out");
  // And gone on from, into a policy of this board.
  const std::string mine = configs_ / "mine.policy";
  EXPECT_EQ(parsed(train(board, mine, {"--from", policy_})).at("from"), policy_);
  parsed(compare(board, {"--policy-file", "q_learning=" + mine}));
  expect_refused(compare("odroid_xu3", {"--policy-file", "q_learning=" + mine}), "other numbers");
}

TEST_F(CliPolicyIdentity, CommentsScenarioAndOtherApplicationsAreNoPartOfIt) {
  const auto accepted = [&](const std::string& board, const std::string& scenario) {
    const json result = parsed(compare(board, {"--policy-file", given()}, scenario));
    EXPECT_EQ(result.at("policy_files").at("q_learning"), policy_);
  };
  accepted("odroid_xu3", "bursty");
  accepted("odroid_xu3", "dual_dnn");  // two applications
  accepted(board_with("board_mw: 139", "board_mw:   139  # as good as measured"),
           "single_periodic");
  accepted(board_with("  busy:  # [3]",
                      "  idle_talk:\n    kind: plain_load\n    units:\n"
                      "      A15: {core_nf: 0.3}\n      A7: {core_nf: 0.06}\n"
                      "  busy:"),
           "single_periodic");
}

// It loads, and every verb says in a line that it is a prior, and why.
TEST_F(CliPolicyIdentity, AnotherListOfApplicationsMakesItAPriorWithANote) {
  const std::string board = board_with("  busy:  # [3]",
                                       "  idle_talk:\n    kind: plain_load\n    units:\n      A15: "
                                       "{core_nf: 0.3}\n      A7: {core_nf: 0.06}\n"
                                       "  busy:");
  const std::string why =
      policy_ +
      ", learned with another list of applications (without 'idle_talk'): it is a prior here";
  const std::string same = parsed(compare("odroid_xu3", {"--policy-file", given()})).dump();
  EXPECT_THAT(same, Not(HasSubstr("it is a prior here")));
  const Finished compared = compare(board, {"--policy-file", given()});
  EXPECT_EQ(parsed(compared).at("notes"), json::array({"q_learning starts from " + why}));
  EXPECT_EQ(compared.err, "q_learning starts from " + why + ".\n");
  const Finished trained = train(board, configs_ / "mine.policy", {"--from", policy_});
  EXPECT_THAT(
      trained.err,
      HasSubstr(", learned with another list of applications (without 'idle_talk'): it is a "
                "prior here.\n"));
  EXPECT_EQ(parsed(trained).at("notes").size(), 1u);
  const Finished ran = flyball_run({"run", "--platform", board, "--scenario", "single_periodic",
                                    "--policy", "q_learning", "--policy-file", policy_, "--record",
                                    configs_ / "r.flyrec", "--duration", "1", "--json"});
  EXPECT_EQ(parsed(ran).at("notes"), json::array({"q_learning starts from " + why}));
  EXPECT_EQ(ran.err, "q_learning starts from " + why + ".\n");
}

TEST_F(CliPolicyIdentity, AnotherBeliefIsRefusedByThatName) {
  const std::string belief = board_with("uncore_nf: 0.21", "uncore_nf: 0.22");
  const std::string from = "or take it as a prior with '--from FILE'";
  const Finished refused = compare("odroid_xu3", {"--policy-file", given(), "--belief", belief});
  expect_refused(
      refused,
      "here that is the belief 'odroid_xu3' (--belief), with other numbers; leave --belief out "
      "as it was trained, " +
          from);
  parsed(compare("odroid_xu3", {"--from", given(), "--belief", belief}));
  // And the other way about.
  const std::string mine = configs_ / "mine.policy";
  parsed(train("odroid_xu3", mine, {"--belief", belief}));
  expect_refused(
      compare("odroid_xu3", {"--policy-file", "q_learning=" + mine}),
      "it was learned under the belief 'odroid_xu3' (--belief), and here that is what platform "
      "'odroid_xu3' says of itself, with other numbers; give '--belief FILE' as it was trained, " +
          from);
  parsed(compare("odroid_xu3", {"--policy-file", "q_learning=" + mine, "--belief", belief}));
}

TEST_F(CliPolicyIdentity, AnotherBoardsIsRefusedByNameAndTakenAsAPrior) {
  expect_refused(compare("jetson_nano", {"--policy-file", given()}),
                 "it was learned on 'odroid_xu3', not on 'jetson_nano'");
  EXPECT_EQ(parsed(compare("jetson_nano", {"--from", given()})).at("policy_files").at("q_learning"),
            policy_);
  const std::string mine = configs_ / "nano.policy";
  const json report = parsed(train("jetson_nano", mine, {"--from", policy_}));
  EXPECT_EQ(report.at("from"), policy_);
  EXPECT_EQ(report.at("platform_hash").get<std::string>().size(), 16u);
  parsed(compare("jetson_nano", {"--policy-file", "q_learning=" + mine}));
}

TEST_F(CliPolicyIdentity, AnotherAgentsIsRefusedEvenAsAPrior) {
  const Finished refused = flyball_run({"train", "--agent", "prime", "--platform", "odroid_xu3",
                                        "--scenario", "single_periodic", "--episodes", "1", "--out",
                                        configs_ / "y", "--from", policy_});
  expect_refused(refused, "'q_learning' learned it, not 'prime'");
  EXPECT_FALSE(fs::exists(configs_ / "y"));
}

TEST_F(CliPolicyIdentity, ARunGoesOnFromAnotherBoardsIntoItsOwn) {
  const std::string mine = configs_ / "mine.policy";
  expect_refused(run({"--policy-file", policy_}), "or take it as a prior with --from");
  const Finished finished = run({"--from", policy_, "--learn-to", mine});
  const json report = parsed(finished);
  EXPECT_EQ(report.at("policy_file"), policy_);
  // The note may be broken into lines.
  EXPECT_THAT(finished.err, AllOf(HasSubstr("q_learning takes"), HasSubstr("of 'odroid_xu3'")));
  // Clusters differ: what it takes of an application is said.
  EXPECT_THAT(report.at("policies")[0].at("notes").dump(), HasSubstr("only the margins are taken"));
  EXPECT_EQ(parsed(run({"--policy-file", mine, "--no-learn"})).at("policy_file"), mine);
  expect_refused(compare("odroid_xu3", {"--policy-file", "q_learning=" + mine}), "not on");
}

TEST_F(CliPolicyIdentity, ARunRefusesAPriorThatItCannotTakeBeforeItBegins) {
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& why) {
    expect_refused(run(arguments), why);
  };
  std::ofstream(configs_ / "letter") << "Dear reader,\n";
  refused({"--from", configs_ / "letter"}, "it is not a policy file");
  refused({"--from", configs_ / "none.policy"}, "none.policy");
  refused({"--from", ""}, "--from");
  std::string torn = read_text(policy_);
  std::ofstream(configs_ / "torn.policy") << torn.substr(0, torn.size() / 2);
  refused({"--from", configs_ / "torn.policy"}, "damaged or truncated");
  refused({"--policy", "prime", "--from", policy_}, "'q_learning' learned it, not 'prime'");
  refused({"--policy", "schedutil", "--from", policy_}, "policy 'schedutil' does not learn");
  refused({"--from", policy_, "--policy-file", policy_}, "leave one of the two out");
}

TEST(CliRunLearns, IntoAFileThatRunAndCompareTake) {
  const OwnConfigs configs;
  const std::string policy = configs / "live.policy";
  EXPECT_TRUE(parsed(run({"--learn-to", policy})).at("policy_file").is_null());
  EXPECT_EQ(read_text(policy).substr(0, 6), "FLYPOL");
  EXPECT_FALSE(fs::exists(configs / "state/flyball/policies"))
      << "what was asked for is kept there, and nowhere else";
  EXPECT_EQ(parsed(run({"--policy-file", policy, "--no-learn"})).at("policy_file"), policy);
  const json compared = parsed(compare("host", {"--policy-file", "q_learning=" + policy}, "live"));
  EXPECT_EQ(compared.at("policy_files").at("q_learning"), policy);
}

TEST(CliRunLearns, ForTheNextRunByDefault) {
  const OwnConfigs configs;
  EXPECT_TRUE(parsed(run({"--no-learn"})).at("policy_file").is_null());
  EXPECT_FALSE(fs::exists(configs / "state/flyball/policies"));
  EXPECT_TRUE(parsed(run({})).at("policy_file").is_null());
  ASSERT_EQ(stored_policies(configs, "host").size(), 1u);
  const std::string kept = stored_policies(configs, "host")[0];
  const std::string first = read_text(kept);
  EXPECT_EQ(first.substr(0, 6), "FLYPOL");
  EXPECT_EQ(parsed(run({})).at("policy_file"), kept);
  const std::string second = read_text(kept);
  EXPECT_NE(second, first);
  EXPECT_EQ(parsed(run({"--no-learn"})).at("policy_file"), kept);
  EXPECT_EQ(read_text(kept), second);
  // Who does not learn keeps nothing.
  fs::remove(kept);
  parsed(run({"--policy", "performance"}));
  EXPECT_FALSE(fs::exists(kept));
}

// Of another machine file with the same name, or from another start: what is there stays.
TEST(CliRunLearns, WithoutReplacingWhatItDidNotStartFrom) {
  const OwnConfigs configs;
  const std::string mine = configs / "mine.policy";
  parsed(run({"--learn-to", mine}));
  parsed(run({}));
  const std::string kept = stored_policies(configs, "host").at(0);
  const std::string bytes = read_text(kept);
  const std::string other = configs / "myhost.yaml";
  std::string text = read_text(configs.config("platforms/host.yaml"));
  const std::size_t at = text.find("core_nf: 0.45");
  ASSERT_NE(at, std::string::npos);
  std::ofstream(other) << text.replace(at, 13, "core_nf: 0.46");
  EXPECT_TRUE(parsed(run({"--platform", other})).at("policy_file").is_null());
  EXPECT_EQ(stored_policies(configs, "host").size(), 2u);
  EXPECT_EQ(read_text(kept), bytes);
  parsed(run({"--policy-file", mine}));
  EXPECT_EQ(read_text(kept + ".old"), bytes);
}

TEST(CliRunLearns, OnlyWhereSomethingIsLearned) {
  const OwnConfigs configs;
  const std::string policy = configs / "x.policy";
  expect_refused(run({"--policy", "schedutil", "--learn-to", policy}),
                 "policy 'schedutil' does not learn");
  expect_refused(run({"--learn-to", policy, "--no-learn"}), "--no-learn for none");
  expect_refused(run({"--learn-to", configs / "none/x"}), "there is no folder");
  std::ofstream(configs / "letter") << "Dear reader,\n";
  expect_refused(run({"--learn-to", configs / "letter"}), "is there already and is not a policy");
  EXPECT_EQ(read_text(configs / "letter"), "Dear reader,\n");
  EXPECT_FALSE(fs::exists(policy));
  // Nor does a check leave a trace.
  EXPECT_EQ(run({"--check"}).exit_code, 0);
  EXPECT_FALSE(fs::exists(configs / "state/flyball"));
}

TEST(CliRunLearns, AFullDiskIsAFailureThatLosesNothing) {
  const OwnConfigs configs;
  const std::string policy = configs / "x.policy";
  ASSERT_EQ(run({"--learn-to", policy}).exit_code, 0);
  const std::string bytes = read_text(policy);
  const std::vector<std::string> arguments = {"run",        "--duration", "1",     "--no-compare",
                                              "--learn-to", policy,       "--json"};
  const Finished full = Flyball(arguments, {.file_bytes = 3000}).wait();
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_THAT(full.err, AllOf(HasSubstr(policy), HasSubstr("File too large")));
  EXPECT_EQ(read_text(policy), bytes);
}

TEST(CliCompare, TellsWhatWasDroppedAndHowForecastsHeld) {
  const json result = parsed(compare("odroid_xu3", {}, "bursty"));
  EXPECT_TRUE(result.contains("belief"));
  const json& row = result.at("policies")[0];
  for (const char* key : {"dropped_pct", "time_in_interval_pct", "energy_in_interval_pct"}) {
    ASSERT_TRUE(row.at(key).at("mean").is_number()) << key;
    const double figure = row.at(key).at("mean");
    EXPECT_GE(figure, 0) << key;
    EXPECT_LE(figure, 100) << key;
  }
  EXPECT_GT(row.at("time_in_interval_pct").at("mean"), 50.0);
  // Who predicts nothing has no such figure.
  const json silent =
      parsed(flyball_run({"compare", "--platform", "odroid_xu3", "--scenario", "bursty",
                          "--policies", "performance", "--seeds", "1", "--json"}));
  EXPECT_TRUE(silent.at("policies")[0].at("time_in_interval_pct").at("mean").is_null());
}

TEST(CliRunLearns, OnABusyMachineAndSaysSo) {
  const OwnConfigs configs;
  const auto notes = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"run", "--duration", "2", "--no-compare", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    Flyball flyball(words);
    for (int i = 0; i < 3000 && flyball.err_so_far().find("Ctrl-C ends") == std::string::npos; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    // Jobs come late, as if others had had the CPUs.
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    flyball.signal(SIGSTOP);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    flyball.signal(SIGCONT);
    return parsed(flyball.wait()).at("policies")[0].at("notes").dump();
  };
  const std::string kept = notes({});
  EXPECT_THAT(kept, HasSubstr("the machine is overloaded"));
  EXPECT_THAT(kept, HasSubstr("what was learned meanwhile is kept all the same, in " +
                              stored_policies(configs, "host").at(0)));
  EXPECT_THAT(notes({"--no-learn"}), Not(HasSubstr("kept all the same")));
}

}  // namespace
}  // namespace flyball::testing
