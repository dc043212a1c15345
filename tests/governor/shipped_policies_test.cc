// The policies in configs/policies: what they are of, that they are what the commands beside them make, and
// who starts from them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "agents/policy_file.h"
#include "env/model/platform_spec.h"
#include "tests/governor/own_configs.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kRemake = "run './dev policies', and commit what it makes";

const fs::path& shipped_folder() {
  static const fs::path folder = fs::path(FLYBALL_SOURCE_DIR) / "configs/policies";
  return folder;
}

std::vector<fs::path> shipped() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(shipped_folder())) {
    if (entry.path().extension() == ".policy") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// The words after 'flyball' of the commands that the README there names.
std::vector<std::vector<std::string>> commands() {
  std::vector<std::vector<std::string>> all;
  std::istringstream lines(read_text((shipped_folder() / "README.md").string()));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("flyball train ")) continue;
    std::istringstream words(line.substr(8));
    auto& command = all.emplace_back();
    for (std::string word; words >> word;) command.push_back(word);
  }
  return all;
}

class OwnState {
 public:
  OwnState() { setenv("XDG_STATE_HOME", (dir_ / "state").c_str(), 1); }
  ~OwnState() { unsetenv("XDG_STATE_HOME"); }
  std::string operator/(const std::string& name) const { return dir_ / name; }

 private:
  TempDir dir_;
};

TEST(ShippedPolicies, AreForBothBoardsAndOfTheDefaultLearner) {
  const std::vector<fs::path> files = shipped();
  ASSERT_FALSE(files.empty());
  for (const char* name : {"odroid_xu3.q_learning.policy", "jetson_nano.q_learning.policy"})
    EXPECT_TRUE(fs::exists(shipped_folder() / name)) << name;
}

// One number of a board's file is another board, of which nothing is known any more.
TEST(ShippedPolicies, AreOfTheBoardsAsTheyAreDescribedNow) {
  for (const fs::path& path : shipped()) {
    const PolicyIdentity of = read_policy(path.string()).identity;
    EXPECT_EQ(of.platform_hash, load_platform(of.platform).content_hash)
        << path << " was learned of another description of " << of.platform << ": " << kRemake;
  }
}

TEST(ShippedPolicies, AreTakenOnTheirBoardsWithoutANote) {
  const OwnState state;
  for (const fs::path& path : shipped()) {
    const PolicyIdentity of = read_policy(path.string()).identity;
    const Finished compared =
        flyball_run({"compare", "--platform", of.platform, "--scenario", "single_periodic",
                     "--policies", of.agent, "--seeds", "1", "--json"});
    ASSERT_EQ(compared.exit_code, 0) << compared.err;
    const json result = json::parse(compared.out);
    EXPECT_EQ(result.at("policy_files").at(of.agent), path.string()) << kRemake;
    EXPECT_EQ(result.at("notes"), json::array({of.agent + " starts from " + path.string()}))
        << kRemake;
  }
}

TEST(ShippedPolicies, AreWhatTheCommandsMakeByteForByte) {
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "takes minutes under emulation";
  const OwnState state;
  const std::string folder = state / "made/";
  ASSERT_FALSE(commands().empty());
  for (std::vector<std::string> command : commands()) {
    const auto out = std::find(command.begin(), command.end(), "--out");
    ASSERT_TRUE(out != command.end() && out + 1 != command.end());
    EXPECT_EQ(out[1], "configs/policies/");
    out[1] = folder;
    const Finished trained = flyball_run(command);
    ASSERT_EQ(trained.exit_code, 0) << trained.err;
  }
  std::size_t made = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    ++made;
    const std::string name = entry.path().filename().string();
    EXPECT_TRUE(read_text(entry.path().string()) == read_text((shipped_folder() / name).string()))
        << name << " is not what is learned now: " << kRemake;
  }
  EXPECT_EQ(made, shipped().size()) << "each has its command";
}

// Who has trained has that, and not what was shipped.
TEST(ShippedPolicies, GiveWayToAUsersOwn) {
  const OwnState state;
  const auto start = [] {
    const Finished compared =
        flyball_run({"compare", "--platform", "odroid_xu3", "--scenario", "single_periodic",
                     "--policies", "planner", "--seeds", "1", "--json"});
    EXPECT_EQ(compared.exit_code, 0) << compared.err;
    return json::parse(compared.out).at("policy_files").at("planner");
  };
  EXPECT_EQ(start(), (shipped_folder() / "odroid_xu3.planner.policy").string());
  const Finished trained =
      flyball_run({"train", "--platform", "odroid_xu3", "--scenario", "single_periodic", "--agent",
                   "planner", "--episodes", "2"});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const std::string own = start();
  EXPECT_TRUE(own.starts_with(state / "state/flyball/policies/odroid_xu3-")) << own;
}

}  // namespace
}  // namespace flyball::testing
