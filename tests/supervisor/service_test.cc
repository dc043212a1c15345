// The unit file, as systemd reads it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <map>
#include <sstream>

#include "tests/supervisor/state_fixture.h"

namespace flyball::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

class ServiceTest : public StateFixture {
 protected:
  static std::string unit() {
    std::string path = FLYBALL_BIN_DIR;
    path += "/../governor/service/flyball.service";
    return file_text(path);
  }

  std::map<std::string, std::string> settings() const {
    std::map<std::string, std::string> settings;
    std::istringstream text(unit());
    for (std::string line; std::getline(text, line);) {
      const std::size_t equals = line.find('=');
      if (line.empty() || line[0] == '#' || equals == line.npos) continue;
      settings[line.substr(0, equals)] = line.substr(equals + 1);
    }
    return settings;
  }
};

// systemd knows every key and value of it; the programs stand in for those that are installed.
TEST_F(ServiceTest, SystemdFindsNothingToSayAboutIt) {
  if (std::system("command -v systemd-analyze > /dev/null") != 0)
    GTEST_SKIP() << "no systemd-analyze";
  std::string text = unit();
  const std::string installed = settings()["ExecStart"];
  const std::string folder = installed.substr(0, installed.find("/flyball run"));
  for (std::size_t at; (at = text.find(folder + "/flyball")) != text.npos;) {
    text.replace(at, folder.size() + 8, "/bin/true");
  }
  write_text(folder_ / "flyball.service", text);
  const std::string said = (folder_ / "said").string();
  const int status = std::system(("systemd-analyze verify --man=no " +
                                  (folder_ / "flyball.service").string() + " > " + said + " 2>&1")
                                     .c_str());
  // What it says of units of this machine is not ours.
  std::istringstream lines(file_text(said));
  for (std::string line; std::getline(lines, line);)
    EXPECT_EQ(line.find("flyball"), line.npos) << line;
  EXPECT_EQ(WEXITSTATUS(status), 0) << file_text(said);
}

TEST_F(ServiceTest, GivesBackWhateverEndsIt) {
  auto settings = this->settings();
  EXPECT_THAT(settings["ExecStopPost"], EndsWith("/flyball restore"));
  EXPECT_EQ(settings["KillMode"], "mixed");
  EXPECT_EQ(settings["RuntimeDirectoryPreserve"], "yes");
  // Or the governor could not write at all.
  EXPECT_THAT(settings["ReadWritePaths"], HasSubstr("/sys/devices/system/cpu"));
}

}  // namespace
}  // namespace flyball::testing
