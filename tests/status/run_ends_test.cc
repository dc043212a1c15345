// How a run begins and ends where something is not as it should be: nobody reads what it says, it may write
// no clock, another program turns them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/status/governed.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr uid_t kNobody = 65534;

bool nobody_may_start(const std::string& program) {
  const pid_t child = fork();
  if (child == 0) _exit(setuid(kNobody) == 0 && access(program.c_str(), X_OK) == 0 ? 0 : 1);
  int status = 1;
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

std::vector<std::string> run_words(const LinuxTree& tree, const std::vector<std::string>& more) {
  std::filesystem::create_directories(tree.path("/run"));
  std::vector<std::string> words = {std::string(FLYBALL_BIN_DIR) + "/flyball",
                                    "run",
                                    "--platform",
                                    "linux",
                                    "--sysfs-root",
                                    tree.root(),
                                    "--state-dir",
                                    tree.path("/run/flyball")};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// Starts a program after `prepare` in its process.
pid_t start(std::vector<std::string> words, const std::function<void()>& prepare) {
  const pid_t child = fork();
  if (child != 0) return child;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);
  prepare();
  execv(argv[0], argv.data());
  _exit(127);
}

int exit_code(pid_t process) {
  int status = 0;
  waitpid(process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(RunEnds, ThoughNobodyReadsWhatItSays) {
  FLYBALL_STARTS_PROGRAMS();
  const LinuxTree tree;
  tree.make_xu3();
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  while (write(ends[1], "full", 4) > 0) {
  }
  while (write(ends[1], "f", 1) > 0) {
  }
  fcntl(ends[1], F_SETFL, 0);  // whoever writes there waits
  const std::string limit = LinuxTree::policy(4) + "scaling_max_freq";
  const std::string before = tree.line(limit), out = tree.path("/out");
  const PlayedLoad load(tree, 0.5);
  const pid_t run = start(run_words(tree, {"--actuator", "bounds", "--policy", "powersave"}), [&] {
    dup2(open(out.c_str(), O_WRONLY | O_CREAT, 0600), STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
  });
  while (tree.line(limit) == before) std::this_thread::yield();
  // It has said how it does, once a second, and whom it has met.
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  tree.write(LinuxTree::policy(0) + "scaling_max_freq", "600000\n");
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  kill(run, SIGTERM);
  EXPECT_EQ(exit_code(run), 0) << "its supervisor would have killed it";
  EXPECT_EQ(tree.line(limit), before);
  EXPECT_THAT(read_text(out), HasSubstr("policy4: ")) << "the result is not lost";
  close(ends[0]);
  close(ends[1]);
}

TEST(RunEnds, WhoMayWriteNoClockMakesADryRunAndSaysSoEverywhere) {
  FLYBALL_STARTS_PROGRAMS();
  if (geteuid() == 0 && !nobody_may_start(std::string(FLYBALL_BIN_DIR) + "/flyball"))
    GTEST_SKIP() << "nobody else may start what is in this folder";
  const LinuxTree tree;
  tree.make_xu3();
  for (const int policy : {0, 4}) {
    for (const char* file :
         {"scaling_governor", "scaling_min_freq", "scaling_max_freq", "scaling_setspeed"})
      chmod(tree.path(LinuxTree::policy(policy) + file).c_str(), 0444);
  }
  chmod(tree.root().c_str(), 0755);
  const std::vector<std::string> words = run_words(tree, {"--json"});
  const std::string state = tree.path("/run/flyball"), out = tree.path("/out"),
                    err = tree.path("/err");
  std::filesystem::create_directory(state);
  const bool root = geteuid() == 0;
  ASSERT_TRUE(!root || chown(state.c_str(), kNobody, kNobody) == 0);
  const auto as_nobody = [&] {
    if (root && (setgid(kNobody) != 0 || setuid(kNobody) != 0)) _exit(126);
  };
  const PlayedLoad load(tree, 0.5);
  const pid_t run = start(words, [&] {
    dup2(open(out.c_str(), O_WRONLY | O_CREAT, 0600), STDOUT_FILENO);
    dup2(open(err.c_str(), O_WRONLY | O_CREAT, 0600), STDERR_FILENO);
    as_nobody();
  });
  while (!std::filesystem::exists(state + "/control.sock")) std::this_thread::yield();
  const std::string shown = tree.path("/shown");
  EXPECT_EQ(exit_code(start({words[0], "status", "--json", "--state-dir", state},
                            [&] {
                              dup2(open(shown.c_str(), O_WRONLY | O_CREAT, 0600), STDOUT_FILENO);
                              as_nobody();
                            })),
            0);
  EXPECT_EQ(json::parse(read_text(shown)).at("mode"), "dry_run");
  EXPECT_FALSE(std::filesystem::exists(state + "/app.sock")) << "who turns nothing has no seats";
  kill(run, SIGTERM);
  EXPECT_EQ(exit_code(run), 0) << read_text(err);
  const json told = json::parse(read_text(out));
  EXPECT_EQ(told.at("dry_run"), true);
  EXPECT_EQ(told.at("dry_run_reason"), "no clock may be written by this process");
  EXPECT_THAT(read_text(err), HasSubstr("nothing is written"));
  EXPECT_THAT(read_text(err), HasSubstr("this is a dry run"));
}

TEST(RunEnds, ItsFolderIsOpenToReadersWhateverTheUmask) {
  FLYBALL_STARTS_PROGRAMS();
  const LinuxTree tree;
  tree.make_xu3();
  const pid_t run = start(run_words(tree, {"--json", "--duration", "0.6"}), [] {
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    umask(077);
  });
  EXPECT_EQ(exit_code(run), 0);
  struct stat info {};
  ASSERT_EQ(stat(tree.path("/run/flyball").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0755u);
}

class RivalsHere : public ::testing::Test {
 protected:
  RivalsHere() {
    tree_.make_xu3();
    std::filesystem::create_directories(tree_.path("/run"));
    tree_.write("/proc/77/cmdline", std::string("/usr/bin/python3\0/usr/sbin/tuned\0", 33));
  }
  LinuxTree tree_;
};

TEST_F(RivalsHere, AreNamedByShadow) {
  const PlayedLoad load(tree_, 0.5);
  const Finished told =
      flyball_run({"shadow", "--sysfs-root", tree_.root(), "--duration", "0.5", "--json"});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.err, HasSubstr("tuned (process 77) turns"));
  EXPECT_EQ(json::parse(told.out).at("rival_daemons")[0].at("name"), "tuned");
}

TEST_F(RivalsHere, AreNamedByAudit) {
  FLYBALL_STARTS_PROGRAMS();
  const PlayedLoad load(tree_, 0.5);
  const Finished told =
      flyball_run({"audit", "--sysfs-root", tree_.root(), "--state-dir", tree_.path("/run/flyball"),
                   "--minutes", "0.0301", "--block", "0.2", "--json"});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.err, HasSubstr("tuned (process 77) turns"));
  EXPECT_THAT(json::parse(told.out).at("notes")[0], HasSubstr("tuned (process 77) turns"));
}

}  // namespace
}  // namespace flyball::testing
