// The real program, as a user meets it: exit codes, error lines, JSON, files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/governor/own_configs.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::vector<std::string> kVerbs = {
    "run", "train", "compare", "merge", "evaluate", "profile", "network", "characterise",
    "fit", "list",  "export",  "restore",  "doctor",  "record",  "report",
    "replay", "import"};

/// One line on stderr that begins as given, nothing on stdout, exit 2.
void expect_wrong_use(const std::vector<std::string>& arguments, const std::string& beginning,
                      const std::string& contained = "") {
  const Finished finished = flyball_run(arguments);
  EXPECT_EQ(finished.exit_code, 2) << finished.err;
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
  EXPECT_THAT(finished.err, AllOf(StartsWith(beginning), HasSubstr(contained)));
}

TEST(Cli, PrintsItsVersion) {
  const Finished finished = flyball_run({"--version"});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_THAT(finished.out, ::testing::MatchesRegex(
                                "flyball [0-9]+\\.[0-9]+\\.[0-9]+ \\(build [-._0-9a-z]+\\)\n"));
}

// The program's name for its sources is theirs, and is written only when it is another.
TEST(Cli, ABuildIsNamedByTheSourcesHistory) {
  const TempDir dir;
  const std::string source = dir / "source";
  std::filesystem::create_directory(source);
  const auto shell = [](const std::string& command) {
    EXPECT_EQ(std::system((command + " >/dev/null 2>&1").c_str()), 0) << command;
  };
  const auto built = [&] {
    shell("cmake -DSOURCE_DIR=" + source + " -DOUT=" + (dir / "id.cc") +
          " -P " FLYBALL_SOURCE_DIR "/governor/build_id.cmake");
    const std::string text = read_text(dir / "id.cc");
    const std::size_t begin = text.find("kBuildId = \"") + 12;
    return text.substr(begin, text.find('"', begin) - begin);
  };
  const std::string git = "git -C " + source + " -c user.name=a -c user.email=b ";
  const auto commit = [&] { shell(git + "add . && " + git + "commit -q -m x --allow-empty"); };
  EXPECT_EQ(built(), "unknown");
  shell("git init -q " + dir.path().string());
  EXPECT_EQ(built(), "unknown") << "another's history";
  shell("git init -q " + source);
  EXPECT_EQ(built(), "unknown") << "no history yet";
  std::ofstream(source + "/x.cc") << "1\n";
  commit();
  const std::string first = built();
  EXPECT_THAT(first, ::testing::MatchesRegex("[0-9a-f]+"));
  const auto written = std::filesystem::last_write_time(dir / "id.cc");
  EXPECT_EQ(built(), first);
  EXPECT_EQ(std::filesystem::last_write_time(dir / "id.cc"), written);
  std::ofstream(source + "/x.cc") << "2\n";
  EXPECT_EQ(built(), first + "-dirty");
  commit();
  EXPECT_NE(built(), first);
  shell(git + "tag v7");
  EXPECT_EQ(built(), "v7");
}

TEST(Cli, EveryVerbHasHelpWithAnExample) {
  const std::string help = flyball_run({"--help"}).out;
  for (const std::string& verb : kVerbs) {
    EXPECT_THAT(help, HasSubstr(verb));
    const Finished finished = flyball_run({verb, "--help"});
    EXPECT_EQ(finished.exit_code, 0);
    EXPECT_EQ(finished.err, "");
    EXPECT_THAT(finished.out, HasSubstr("Example:\n  flyball " + verb));
  }
}

TEST(Cli, TheBareNamePrintsTheOverview) {
  const Finished bare = flyball_run({});
  EXPECT_EQ(bare.exit_code, 0);
  EXPECT_EQ(bare.err, "");
  EXPECT_EQ(bare.out, flyball_run({"--help"}).out);
}

TEST(CliErrors, CommandLineIsOneLineThatNamesTheNearest) {
  const std::string verbs =
      "use one of run, train, compare, merge, evaluate, profile, network, record, import, report, characterise, fit, "
      "list, export, replay, restore, doctor, status, explain, set, shadow, audit, top, "
      "infer, metrics, or see "
      "'flyball --help'\n";
  EXPECT_EQ(
      flyball_run({"comapre"}).err,
      "flyball: verb 'comapre': there is none of that name (did you mean 'compare'?); " + verbs);
  expect_wrong_use({"comapre"}, "flyball: verb 'comapre'");
  expect_wrong_use({"compare", "--platfrom", "host"},
                   "flyball: option '--platfrom': 'compare' has none of that name (did you mean "
                   "'--platform'?); ");
  expect_wrong_use({"--jason"}, "flyball: option '--jason'");
  expect_wrong_use({"compare", "--scenario", "bursty"},
                   "flyball: --platform: is missing; add it; see 'flyball compare --help'\n");
  expect_wrong_use({"compare", "--platform"}, "flyball: --platform: needs a value; ");
  // The next option is no value.
  const std::string needs_value =
      "flyball: --platform: needs a value; write it after the option; see 'flyball compare "
      "--help'\n";
  expect_wrong_use({"compare", "--platform", "--scenario", "background"}, needs_value);
  expect_wrong_use({"compare", "--platform", "--scenario=background"}, needs_value);
  expect_wrong_use({"compare", "--scenario", "bursty", "--platform", "--json"}, needs_value);
  expect_wrong_use({"compare", "--scenario", "--platform", "odroid_xu3"},
                   "flyball: --scenario: needs a value; ");
  expect_wrong_use({"fit", "--data", "--json"}, "flyball: --data: needs a value; ");
  expect_wrong_use({"compare", "--scenario=--platform", "--platform=odroid_xu3"},
                   "flyball: scenario '--platform': ");
  expect_wrong_use({"compare", "extra"}, "flyball: 'extra': is more than the verb takes; ");
  expect_wrong_use({"compare", "--platform", "odroid_xu3", "extra"},
                   "flyball: 'extra': is more than the verb takes; ");
  EXPECT_EQ(flyball_run({"compare", "extra", "--help"}).exit_code, 0);
  expect_wrong_use({"run", "--seed", "1", "--seed", "2"},
                   "flyball: --seed: takes one value and was given more; ");
  expect_wrong_use({"list", "platforms", "scenarios"},
                   "flyball: 'scenarios': is more than the verb takes; ");
  expect_wrong_use({"list", "platform"},
                   "flyball: list 'platform': ", "(did you mean 'platforms'?)");
}

TEST(CliErrors, AFolderWhereANameOrAFileIsDueIsSaidToBeOne) {
  const TempDir dir;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::create_directory(dir / "mine");
  std::filesystem::current_path(dir.path());
  expect_wrong_use({"compare", "--platform", "mine", "--scenario", "background"},
                   "flyball: platform 'mine': is a folder, and no platform has that name; give the "
                   "path of a YAML file, or ",
                   "odroid_xu3");
  expect_wrong_use({"network", "show", "mine"},
                   "flyball: model 'mine': is a folder, and no model has that name; give the path of "
                   "a model file, or ",
                   "dynamic_cnn");
  std::filesystem::create_directory("odroid_xu3");  // is in nobody's way
  EXPECT_EQ(flyball_run({"compare", "--platform", "odroid_xu3", "--scenario", "background",
                         "--policies", "rule", "--check"})
                .exit_code,
            0);
  std::filesystem::current_path(before);
}

TEST(CliErrors, NumbersAreChecked) {
  const std::vector<std::string> compare = {"compare", "--platform", "odroid_xu3", "--scenario",
                                            "single_periodic"};
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = compare;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  expect_wrong_use(with({"--seeds", "0"}), "flyball: --seeds 0: is not a whole number from 1 to ");
  expect_wrong_use(with({"--seeds", "3x"}), "flyball: --seeds 3x: is not a whole number");
  expect_wrong_use(with({"--seed", "-5"}), "flyball: --seed -5: is not a whole number");
  expect_wrong_use({"run", "--duration", "soon"},
                   "flyball: --duration soon: is not a number of seconds from ");
  expect_wrong_use({"run", "--duration", "nan"}, "flyball: --duration nan: ");
  expect_wrong_use(with({"--policies", "rule,,oracle"}),
                   "flyball: --policies 'rule,,oracle': has an empty name");
  expect_wrong_use(with({"--policies", "rule,rule"}),
                   "flyball: --policies 'rule,rule': names 'rule' twice");
}

// A configuration of several clusters has commas, and so has a list of policies.
TEST(CliCompare, TakesAConfigurationOfSeveralClustersAmongOthers) {
  const std::string fixed = "static_best:A15=200000,A7=700000;camera=A7x4@25";
  const std::vector<std::string> compare = {"compare",    "--platform",      "odroid_xu3",
                                            "--scenario", "single_periodic", "--seeds",
                                            "1",          "--json",          "--policies"};
  const auto with = [&](const std::string& policies) {
    std::vector<std::string> all = compare;
    all.push_back(policies);
    return all;
  };
  const Finished finished = flyball_run(with("powersave," + fixed + ",rule"));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const auto rows = nlohmann::json::parse(finished.out).at("policies");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1].at("policy"), fixed);
  EXPECT_LT(rows[1].at("accuracy_pct").at("mean"), rows[0].at("accuracy_pct").at("mean"));
  expect_wrong_use(with(fixed + ",rulle"), "flyball: policy 'rulle': there is none of that name");
  expect_wrong_use(with("rule,A7=700000"), "flyball: policy 'A7=700000': there is none");
}

TEST(CliErrors, UnknownNamesListTheKnownOnes) {
  expect_wrong_use({"compare", "--platform", "odroid_xu4", "--scenario", "bursty"},
                   "flyball: ", "odroid_xu3");
  expect_wrong_use({"compare", "--platform", "odroid_xu3", "--scenario", "burst"},
                   "flyball: ", "bursty");
  expect_wrong_use(
      {"compare", "--platform", "odroid_xu3", "--scenario", "bursty", "--policies", "rulle"},
      "flyball: policy 'rulle': there is none of that name (did you mean 'rule'?); use one of ",
      "schedutil");
  expect_wrong_use({"characterise", "--platform", "odroid_xu3", "--app", "whetston"},
                   "flyball: application 'whetston'", "use one of ");
}

TEST(CliErrors, RunRefusesWhatItCannotGovern) {
  const OwnConfigs configs;
  expect_wrong_use({"run", "--platform", "odroid_xu3"},
                   "flyball: platform 'odroid_xu3': is simulated only here; use ", "compare");
  expect_wrong_use({"run", "--policy", "oracle"}, "flyball: policy 'oracle': ");
  expect_wrong_use({"run", "--policy", "schedutil", "--policy-file", "x.policy"},
                   "flyball: --policy-file x.policy: ", "does not learn");
  expect_wrong_use({"run", "--policy", "userspace"}, "flyball: policy 'userspace", "kHz");
  expect_wrong_use({"run", "--record", "/etc/passwd"}, "flyball: --record /etc/passwd: ");
  expect_wrong_use({"run", "--csv", "/tmp/nowhere"}, "flyball: --csv: ", "--record");
}

TEST(CliErrors, TrainTouchesNothingThatIsNotAPolicy) {
  const TempDir dir;
  const std::string letter = dir / "letter.txt";
  std::ofstream(letter) << "Dear reader,\n";
  const auto train_to = [](const std::string& out) {
    return std::vector<std::string>{"train",      "--platform",      "odroid_xu3",
                                    "--scenario", "single_periodic", "--episodes",
                                    "1",          "--out",           out};
  };
  expect_wrong_use(train_to(letter),
                   "flyball: --out " + letter + ": is there already and is not a policy file; ");
  EXPECT_EQ(read_text(letter), "Dear reader,\n");
  expect_wrong_use(train_to(dir / "no/such.policy"), "flyball: --out ", "there is no folder");
  expect_wrong_use(train_to(dir.path().string()), "flyball: --out ", "is a folder");
  expect_wrong_use({"train", "--agent", "schedutil", "--platform", "odroid_xu3", "--scenario",
                    "single_periodic", "--out", dir / "x.policy"},
                   "flyball: agent 'schedutil': does not learn; use one of ", "q_learning");
  EXPECT_FALSE(std::filesystem::exists(dir / "x.policy"));
}

TEST(CliErrors, BadFilesAreNamedWithTheLine) {
  const TempDir dir;
  std::ofstream(dir / "bad.yaml") << "schema: 1\nname: x\nclustres: []\n";
  expect_wrong_use({"characterise", "--platform", dir / "bad.yaml"},
                   "flyball: " + (dir / "bad.yaml") + ":3", "clustres");
  std::ofstream(dir / "corrupt.policy") << "FLYPOL nonsense";
  expect_wrong_use(
      {"compare", "--platform", "odroid_xu3", "--scenario", "single_periodic", "--policies",
       "q_learning", "--policy-file", "q_learning=" + (dir / "corrupt.policy")},
      "flyball: ", "corrupt.policy");
  expect_wrong_use({"compare", "--platform", "odroid_xu3", "--scenario", "single_periodic",
                    "--policies", "q_learning", "--policy-file", "corrupt.policy"},
                   "flyball: --policy-file corrupt.policy: is not of the form NAME=FILE; ");
  expect_wrong_use({"export", dir / "none.flyrec", "--csv", dir / "csv"},
                   "flyball: ", "none.flyrec");
  expect_wrong_use({"export", dir / "bad.yaml", "--csv", dir / "csv"}, "flyball: ", "bad.yaml");
  EXPECT_FALSE(std::filesystem::exists(dir / "csv"));
}

TEST(CliErrors, AnErrorIsOneLineWhateverTheNameHolds) {
  expect_wrong_use({"compare", "--platform", "a\nb\033[2J", "--scenario", "bursty"}, "flyball: ");
  EXPECT_EQ(flyball_run({"x\033[2J"}).err.find('\033'), std::string::npos);
}

std::vector<std::string> names(const json& entries) {
  std::vector<std::string> names;
  for (const json& entry : entries) {
    names.push_back(entry.at("name"));
    EXPECT_NE(entry.at("description"), "") << names.back();
  }
  return names;
}

TEST(CliList, KnowsWhatThereIs) {
  const json all = json::parse(flyball_run({"list", "--json"}).out);
  EXPECT_EQ(all.at("schema"), 1);
  EXPECT_THAT(names(all.at("platforms")),
              ::testing::IsSupersetOf({"odroid_xu3", "jetson_nano", "host"}));
  EXPECT_THAT(names(all.at("scenarios")),
              ::testing::IsSupersetOf({"single_periodic", "bursty", "event_driven", "dual_dnn",
                                       "background", "contention", "thermal_soak", "battery",
                                       "budget_grid", "live"}));
  EXPECT_THAT(names(all.at("policies")),
              ::testing::IsSupersetOf({"performance", "powersave", "userspace", "ondemand",
                                       "conservative", "schedutil", "static_best", "rule", "prime",
                                       "q_learning", "oracle"}));
  EXPECT_THAT(names(all.at("agents")), ::testing::IsSupersetOf({"prime", "q_learning"}));
  const std::string text = flyball_run({"list", "scenarios"}).out;
  EXPECT_THAT(text, HasSubstr("bursty"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("odroid_xu3\n")));
}

TEST(CliCharacterise, GivesTheTableAsJson) {
  const Finished finished = flyball_run({"characterise", "--platform", "odroid_xu3", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json table = json::parse(finished.out);
  EXPECT_EQ(table.at("schema"), 1);
  EXPECT_EQ(table.at("platform"), "odroid_xu3");
  EXPECT_EQ(table.at("app"), "dynamic_cnn");
  EXPECT_EQ(table.size(), 8u);
  EXPECT_TRUE(table.at("profile").is_null());
  EXPECT_EQ(table.at("times_source"), json::array());
  bool found = false;
  for (const json& row : table.at("rows")) {
    ASSERT_EQ(row.size(), 11u);
    EXPECT_EQ(row.at("precision"), "fp32");
    EXPECT_THAT(row.at("unit"), ::testing::AnyOf("A15", "A7"));
    EXPECT_GT(row.at("time_ms"), 0.0);
    // Energy is power times time.
    const double energy_mj =
        row.at("power_mw").get<double>() * row.at("time_ms").get<double>() / 1000;
    EXPECT_NEAR(row.at("energy_mj"), energy_mj, 1e-6 * energy_mj);
    EXPECT_GT(row.at("temp_c"), 25.0);
    if (row.at("unit") == "A15" && row.at("mhz") == 1800 && row.at("cores") == 1 &&
        row.at("width_pct") == 100) {
      found = true;
      // Measured on the board: 117 ms and 2120 mW (Merrett, KTN & eFutures, June 2020).
      EXPECT_NEAR(row.at("time_ms"), 117, 0.05 * 117);
      EXPECT_NEAR(row.at("power_mw"), 2120, 0.05 * 2120);
      EXPECT_DOUBLE_EQ(row.at("accuracy_pct"), 71.2);
    }
  }
  EXPECT_TRUE(found);
  EXPECT_THAT(flyball_run({"characterise", "--platform", "odroid_xu3"}).out,
              HasSubstr("Accuracy of dynamic_cnn: "));
}

TEST(CliCharacterise, APlainLoadHasNoTimeEnergyOrAccuracy) {
  const json table = json::parse(
      flyball_run({"characterise", "--platform", "odroid_xu3", "--app", "whetstone", "--json"})
          .out);
  ASSERT_FALSE(table.at("rows").empty());
  for (const json& row : table.at("rows")) {
    EXPECT_TRUE(row.at("time_ms").is_null());
    EXPECT_TRUE(row.at("energy_mj").is_null());
    EXPECT_TRUE(row.at("accuracy_pct").is_null());
    EXPECT_GT(row.at("power_mw"), 0.0);
  }
}

}  // namespace
}  // namespace flyball::testing
