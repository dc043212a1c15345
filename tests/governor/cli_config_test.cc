// What is in the files of users and strangers, as it reaches the terminal.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/governor/own_configs.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// As YAML: clears the screen, turns red by a C1 character, deletes.
constexpr const char* kHostile = "\\e[2J\\e[31m \\x9b31m \\x7f\\0 said";
constexpr const char* kHostileShown = "?[2J?[31m ?31m ?? said";

MATCHER(LeavesTheTerminalAlone, "") {
  return arg.find('\x1b') == std::string::npos && arg.find('\x7f') == std::string::npos &&
         arg.find("\xc2\x9b") == std::string::npos && arg.find('\0') == std::string::npos;
}

void replace_in_file(const std::string& path, const std::string& from, const std::string& to) {
  std::string text = read_text(path);
  const std::size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  std::ofstream(path) << text.replace(at, from.size(), to);
}

TEST(CliText, OfFilesIsPrintedCleanInResultsAndNotes) {
  const OwnConfigs configs;
  const std::string platform = configs.config("platforms/odroid_xu3.yaml");
  replace_in_file(platform, "accuracy_source: \"", std::string("accuracy_source: \"") + kHostile);
  replace_in_file(platform, "description: Odroid",
                  std::string("description: \"") + kHostile + " Odroid\" #");
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"list"},
                                             {"list", "--json"},
                                             {"characterise", "--platform", "odroid_xu3"},
                                             {"compare", "--platform", "odroid_xu3", "--scenario",
                                              "bursty", "--policies", "rule", "--seeds", "1"}}) {
    const Finished finished = flyball_run(arguments);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    EXPECT_THAT(finished.out, LeavesTheTerminalAlone());
    EXPECT_THAT(finished.out, HasSubstr(kHostileShown)) << arguments[0];
  }
}

TEST(CliText, OfAModelIsPrintedCleanInTheNotesOfARun) {
  const OwnConfigs configs;
  Model model = stand_in_model();
  model.accuracy.source = std::string("\x1b[2J \xc2\x9b\x7f said \x9b", 15) + '\0';
  configs.set_model(model);
  const Finished finished = flyball_run(
      {"run", "--policy", "performance", "--duration", "0.5", "--no-compare", "--plain"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  for (const std::string& text : {finished.out, finished.err}) {
    EXPECT_THAT(text, AllOf(LeavesTheTerminalAlone(), HasSubstr("?[2J")));
  }
}

TEST(CliText, AnErrorIsNotCutAtANul) {
  const OwnConfigs configs;
  replace_in_file(configs.config("scenarios/bursty.yaml"), "profile: dynamic_cnn",
                  "profile: \"dynamic\\0cnn\"");
  const Finished finished = flyball_run(
      {"compare", "--platform", "odroid_xu3", "--scenario", "bursty", "--policies", "rule"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_THAT(finished.err, AllOf(HasSubstr("has no application 'dynamic?cnn'"),
                                  HasSubstr("use one of: dynamic_cnn")));
}

TEST(CliList, APipeAmongTheScenariosIsListedWithTheReason) {
  const OwnConfigs configs;
  ASSERT_EQ(mkfifo(configs.config("scenarios/pipe.yaml").c_str(), 0600), 0);
  const Finished finished = flyball_run({"list", "scenarios", "--json"});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_THAT(finished.out, AllOf(HasSubstr("pipe.yaml: cannot be read: it is not a regular file"),
                                  HasSubstr("single_periodic")));
}

TEST(CliConfigs, AModelLiesBesideTheFileThatNamesIt) {
  const OwnConfigs configs;
  std::filesystem::create_directory(configs / "mine");
  std::filesystem::copy_file(configs.config("platforms/host.yaml"), configs / "mine/host.yaml");
  std::filesystem::copy_file(configs.model_path(), configs / "mine/m.flynet");
  replace_in_file(configs / "mine/host.yaml", "model: dynamic_cnn", "model: m.flynet");
  const Finished finished = flyball_run({"characterise", "--platform", configs / "mine/host.yaml"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  std::filesystem::remove(configs / "mine/m.flynet");
  const Finished gone = flyball_run({"characterise", "--platform", configs / "mine/host.yaml"});
  EXPECT_EQ(gone.exit_code, 2);
  EXPECT_THAT(gone.err, HasSubstr(configs / "mine/m.flynet"));
}

TEST(CliConfigs, AClockThatIsNoOperatingPointIsRefusedWithTheNearest) {
  const auto error_of = [](const std::string& policy) {
    const Finished finished = flyball_run(
        {"compare", "--platform", "odroid_xu3", "--scenario", "bursty", "--policies", policy});
    EXPECT_EQ(finished.exit_code, 2);
    EXPECT_EQ(finished.out, "");
    return finished.err;
  };
  EXPECT_EQ(error_of("userspace:1400"),
            "flyball: policy 'userspace:1400': 1400 kHz is no operating point of any CPU cluster "
            "of 'odroid_xu3'; frequencies are in kHz: did you mean 'userspace:1400000'?\n");
  EXPECT_THAT(error_of("userspace:1400000000"), HasSubstr("did you mean 'userspace:1400000'?"));
  EXPECT_THAT(error_of("userspace:1440000"), HasSubstr("the nearest is 'userspace:1400000'"));
  EXPECT_THAT(error_of("userspace:9223372036854775807"),
              HasSubstr("the nearest is 'userspace:2000000'"));
}

TEST(CliConfigs, ABoardThatRunsAwayIsNamedWithItsCause) {
  const OwnConfigs configs;
  const std::string platform = configs.config("platforms/odroid_xu3.yaml");
  // At 200 MHz the board stays cool; without its trip points its work does not.
  replace_in_file(platform, "a_w_per_v_k2: 0.002488", "a_w_per_v_k2: 0.1");
  replace_in_file(platform, "trip_poll_ms: 250\ntrips:", "trip_poll_ms: 250\n# ");
  std::string text = read_text(platform);
  std::ofstream(platform) << text.substr(0, text.rfind("\n# "));
  const Finished finished = flyball_run({"characterise", "--platform", "odroid_xu3", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json warnings = json::parse(finished.out).at("warnings");
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0].get<std::string>(),
              AllOf(HasSubstr("Cluster 'A15' runs away"), HasSubstr("at 2000 MHz"),
                    HasSubstr("because leakage warms it faster than it cools")));
  EXPECT_THAT(flyball_run({"list", "platforms"}).out, HasSubstr("Cluster 'A15' runs away"));
  replace_in_file(platform, "a_w_per_v_k2: 0.1", "a_w_per_v_k2: 10");
  const Finished refused = flyball_run({"characterise", "--platform", "odroid_xu3"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("key 'leakage': cluster 'A15' runs away: with nothing to do"));
}

}  // namespace
}  // namespace flyball::testing
