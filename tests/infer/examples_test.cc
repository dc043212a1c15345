// The programs in governor/client/examples, with and without a governor.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "tests/channel/channel_fixture.h"
#include "tests/governor/subprocess.h"

namespace flyball {
namespace {

using testing::Finished;
using ::testing::HasSubstr;
using testing::read_text;
using testing::TempDir;

class Examples : public ::testing::Test {
 protected:
  Examples() { setenv("FLYBALL_SOCKET", socket_.socket().c_str(), 1); }
  /// In the emulator when cross-compiled.
  void start(const std::string& command) {
    const std::string emulator = FLYBALL_EMULATOR;
    const std::string line = "exec " + (emulator.empty() ? "" : emulator + ' ') + command + " >" +
                             (dir_ / "out") + " 2>" + (dir_ / "err");
    std::filesystem::remove(dir_ / "out");
    pid_ = fork();
    ASSERT_GE(pid_, 0);
    if (pid_ > 0) return;
    execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
    _exit(127);
  }
  Finished wait() {
    Finished finished;
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    finished.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    finished.out = read_text(dir_ / "out");
    finished.err = read_text(dir_ / "err");
    return finished;
  }
  void TearDown() override {
    if (pid_ > 0) kill(pid_, SIGKILL), wait();
  }
  static std::string built(const std::string& name) {
    return std::string(FLYBALL_BIN_DIR) + "/examples/" + name;
  }
  /// At its best without a governor, and at its cheapest when one says so.
  void expect_steered(const std::string& command, const std::string& best,
                      const std::string& cheapest) {
    start(command + " 3");
    const Finished alone = wait();
    ASSERT_EQ(alone.exit_code, 0) << alone.err;
    EXPECT_EQ(std::count(alone.out.begin(), alone.out.end(), '\n'), 3) << alone.out;
    EXPECT_THAT(alone.out, HasSubstr(best));
    EXPECT_THAT(alone.err, HasSubstr("no governor at"));
    TestGovernor governor(socket_.path());
    governor.agent.level = 0;
    start(command + " 1000000");
    EXPECT_TRUE(
        comes_about([&] { return read_text(dir_ / "out").find(cheapest) != std::string::npos; }));
    EXPECT_GT(governor.agent.seen().jobs.size(), 3u);
  }
  SocketDir socket_;
  TempDir dir_;
  pid_t pid_ = -1;
};

TEST_F(Examples, TheCProgramChangesItsResolution) {
  expect_steered(built("camera"), "640 px", ": 160 px");
}

TEST_F(Examples, TheProgramWithLibTorchChangesItsModel) {
  if (!std::filesystem::exists(built("variants"))) GTEST_SKIP() << "built without LibTorch";
  expect_steered(built("variants"), "large says", "small says");
}

TEST_F(Examples, ThePythonProgramChangesItsResolution) {
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "python3 is this machine's, the library is not";
  if (std::string(FLYBALL_SANITIZERS) != "") GTEST_SKIP() << "python3 has no sanitizer's runtime";
  if (std::system("python3 -c '' >/dev/null 2>&1") != 0) GTEST_SKIP() << "there is no python3";
  setenv("PYTHONPATH", FLYBALL_SOURCE_DIR "/governor/client", 1);
  setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
  setenv("FLYBALL_LIBRARY", FLYBALL_CLIENT_LIBRARY, 1);
  expect_steered("python3 " FLYBALL_SOURCE_DIR "/governor/client/examples/detector.py", "32 px",
                 ": 8 px");
}

}  // namespace
}  // namespace flyball
