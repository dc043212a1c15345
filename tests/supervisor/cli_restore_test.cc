// `flyball restore`, after a governor that left its settings behind.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <nlohmann/json.hpp>

#include "governor/supervisor/stored_value.h"
#include "tests/governor/subprocess.h"
#include "tests/supervisor/fake_machine.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class CliRestore : public MachineFixture {
 protected:
  CliRestore() { take_over(SettingKind::kGovernor, "policy0/scaling_governor", "userspace"); }

  Finished run(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"restore", "--state-dir", state_path()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return flyball_run(arguments);
  }
  Finished run_here(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"--sysfs-root", root()});
    return run(more);
  }
  /// The file says that another process governs.
  void change_header(const std::function<void(SettingsHeader&)>& change) {
    std::string bytes = file_text(settings_path());
    auto& header = *reinterpret_cast<SettingsHeader*>(bytes.data());
    change(header);
    header.checksum = header_checksum(header);
    write_text(settings_path(), bytes);
  }
};

TEST_F(CliRestore, GivesBackAndForgets) {
  Finished finished = run_here();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, AllOf(HasSubstr("policy0/scaling_governor: given back: 'schedutil'\n"),
                                  EndsWith("\n1 setting: 1 given back\n")));
  EXPECT_EQ(read("policy0/scaling_governor"), "schedutil");
  finished = run_here();
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_THAT(finished.out, StartsWith("nothing to give back: no governor has left anything in "));
}

TEST_F(CliRestore, SaysInJsonWhatBecameOfEach) {
  const json report = json::parse(run_here({"--json"}).out);
  EXPECT_EQ(report["schema"], 1);
  EXPECT_EQ(report["remains"], "settings");
  EXPECT_EQ(report["missing"], 0);
  EXPECT_EQ(report["settings"][0]["outcome"], "given_back");
  EXPECT_EQ(report["settings"][0]["setting"], setting_path("policy0/scaling_governor"));
  EXPECT_EQ(report["settings"][0]["before"], "schedutil");
  EXPECT_EQ(json::parse(run_here({"--json"}).out)["remains"], "nothing");
}

TEST_F(CliRestore, WhatIsMissingIsStatusOneAndKept) {
  std::filesystem::remove(root() + setting_path("policy0/scaling_governor"));
  std::filesystem::create_directory(root() + setting_path("policy0/scaling_governor"));
  Finished finished = run_here();
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_EQ(
      finished.err,
      "flyball: restore: 1 of 1 settings do not have their old value; they are kept: try again "
      "with 'flyball restore' when the cause is gone\n");
  EXPECT_THAT(finished.out, HasSubstr("policy0/scaling_governor: cannot be given back: "));
  std::filesystem::remove(root() + setting_path("policy0/scaling_governor"));
  write("policy0/scaling_governor", "userspace");
  EXPECT_EQ(run_here().exit_code, 0);
  EXPECT_EQ(read("policy0/scaling_governor"), "schedutil");
}

TEST_F(CliRestore, AnEarlierBootsFileIsDroppedWithAWord) {
  change_header([](SettingsHeader& header) { header.boot[0] = header.boot[0] == 'a' ? 'b' : 'a'; });
  const Finished finished = run_here();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("of an earlier start of the machine"));
  EXPECT_EQ(read("policy0/scaling_governor"), "userspace");
  EXPECT_FALSE(std::filesystem::exists(settings_path()));
}

TEST_F(CliRestore, WhileOneGovernsItTouchesNothing) {
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "a process is known by more than an emulator shows";
  const GovernorLock lock = GovernorLock::try_lock(make_state());
  const Finished finished = run_here();  // this process made the file
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, AllOf(HasSubstr("another flyball governs (process "),
                                  HasSubstr("stop it, and it gives everything back: kill ")));
  EXPECT_EQ(read("policy0/scaling_governor"), "userspace");
}

TEST_F(CliRestore, AnotherTreesFileIsNotTakenForThisMachines) {
  const Finished finished = run();
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_THAT(finished.err,
              HasSubstr("it holds settings below " + root() + "; give --sysfs-root " + root()));
  EXPECT_EQ(read("policy0/scaling_governor"), "userspace");
}

TEST_F(CliRestore, AFileThatIsNotTrustedIsRefusedInOneLine) {
  ASSERT_EQ(chmod(settings_path().c_str(), 0666), 0);
  const Finished finished = run_here();
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1);
  EXPECT_THAT(finished.err, HasSubstr("others may write to it, so it is not trusted; "));
  EXPECT_EQ(read("policy0/scaling_governor"), "userspace");
}

TEST_F(CliRestore, AFolderThatIsNotThereIsNoFolderWithNothingInIt) {
  const auto refused = [](const std::vector<std::string>& words, const std::string& why) {
    const Finished finished = flyball_run(words);
    EXPECT_EQ(finished.exit_code, 2);
    EXPECT_EQ(finished.out, "");
    EXPECT_THAT(finished.err, StartsWith("flyball: " + why));
  };
  const std::string absent = state_path() + "x";
  refused({"restore", "--state-dir", absent},
          "--state-dir " + absent + ": there is no such folder");
  refused({"restore", "--state-dir", "/dev/null"},
          "state folder /dev/null: it is a link or no folder");
  refused({"restore", "--state-dir", state_path(), "--sysfs-root", absent},
          "--sysfs-root " + absent + ": is no folder");
  EXPECT_EQ(read("policy0/scaling_governor"), "userspace");
}

}  // namespace
}  // namespace flyball::testing
