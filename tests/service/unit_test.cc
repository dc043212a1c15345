// The unit as it is installed, as systemd reads it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/service/installed_tree.h"

namespace flyball::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

std::map<std::string, std::string> settings_of(const std::string& unit) {
  std::map<std::string, std::string> settings;
  std::istringstream text(InstalledTree::get().text("lib/systemd/system/" + unit));
  for (std::string line; std::getline(text, line);) {
    const std::size_t equals = line.find('=');
    if (line.empty() || line[0] == '#' || equals == line.npos) continue;
    settings[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return settings;
}

std::vector<std::string> units() {
  std::vector<std::string> names = {"flyball.service"};
  if (!InstalledTree::get().text("lib/systemd/system/flyball-desktop.service").empty())
    names.push_back("flyball-desktop.service");
  return names;
}

/// The unit with programs that are there in place of those that are staged.
std::string runnable_copy(const TempDir& dir, const std::string& unit) {
  std::string text = InstalledTree::get().text("lib/systemd/system/" + unit);
  for (const std::string program :
       {"/opt/flyball/bin/flyball-desktop", "/opt/flyball/bin/flyball"}) {
    for (std::size_t at; (at = text.find(program)) != text.npos;)
      text.replace(at, program.size(), "/bin/true");
  }
  std::ofstream(dir / unit) << text;
  return dir / unit;
}

// systemd knows every key and value of it.
TEST(Unit, SystemdFindsNothingToSayAboutIt) {
  if (!has_program("systemd-analyze")) GTEST_SKIP() << "no systemd-analyze";
  for (const std::string& unit : units()) {
    const TempDir dir;
    const ShellResult verified =
        shell("systemd-analyze verify --man=no " + runnable_copy(dir, unit));
    // What it says of units of this machine is not ours.
    std::istringstream lines(verified.said);
    for (std::string line; std::getline(lines, line);)
      EXPECT_THAT(line, Not(HasSubstr("flyball"))) << unit;
    EXPECT_EQ(verified.exit_code, 0) << verified.said;
  }
}

TEST(Unit, IsAsHardAsItCanBe) {
  if (!has_program("systemd-analyze")) GTEST_SKIP() << "no systemd-analyze";
  for (const std::string& unit : units()) {
    const TempDir dir;
    const ShellResult rated =
        shell("systemd-analyze security --offline=yes --threshold=25 " + runnable_copy(dir, unit));
    if (rated.said.find("unrecognized option") != std::string::npos)
      GTEST_SKIP() << "this systemd-analyze does not rate files";
    EXPECT_EQ(rated.exit_code, 0) << rated.said;  // above 2.5 it fails
    EXPECT_THAT(rated.said, HasSubstr("Overall exposure level")) << rated.said;
  }
}

TEST(Unit, GivesBackWhateverEndsIt) {
  auto settings = settings_of("flyball.service");
  EXPECT_THAT(settings["ExecStopPost"], EndsWith("/flyball restore"));
  EXPECT_EQ(settings["KillMode"], "mixed");
  EXPECT_EQ(settings["RuntimeDirectoryPreserve"], "yes");
  EXPECT_EQ(settings["Type"], "notify");
  EXPECT_FALSE(settings["WatchdogSec"].empty());
  // Or the governor could not write at all.
  EXPECT_THAT(settings["ReadWritePaths"], HasSubstr("/sys/devices/system/cpu"));
  // Counters are not among what services may ask for.
  EXPECT_THAT(settings["SystemCallFilter"], HasSubstr("perf_event_open"));
  EXPECT_THAT(settings["CapabilityBoundingSet"], HasSubstr("CAP_PERFMON"));
}

}  // namespace
}  // namespace flyball::testing
