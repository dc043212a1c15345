// The live display on a terminal of its own: what it shows, and that it leaves the terminal as it
// was.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <termios.h>
#include <utmp.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/governor/own_configs.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

/// `flyball` with a terminal of so many columns for everything.
class OnTerminal {
 public:
  OnTerminal(int columns, std::vector<std::string> words) {
    words.insert(words.begin(), std::string(FLYBALL_BIN_DIR) + "/flyball");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    winsize size{};
    size.ws_col = static_cast<unsigned short>(columns);
    size.ws_row = 40;
    if (openpty(&master_, &slave_, nullptr, nullptr, &size) != 0)
      throw std::runtime_error("openpty failed");
    before_ = modes();
    pid_ = fork();
    if (pid_ == 0) {
      login_tty(slave_);
      setenv("TERM", "xterm", 1);
      // Whatever the test runner ignores.
      for (const int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);
      execv(argv[0], argv.data());
      _exit(127);
    }
  }
  ~OnTerminal() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(master_);
    close(slave_);
  }
  OnTerminal(const OnTerminal&) = delete;
  OnTerminal& operator=(const OnTerminal&) = delete;

  /// Reads until `text` has come, for half a minute at most.
  bool shows(const std::string& text) {
    const std::size_t from = out_.size() < text.size() ? 0 : out_.size() - text.size();
    for (int i = 0; i < 600 && out_.find(text, from) == std::string::npos; ++i) read_some(50);
    return out_.find(text, from) != std::string::npos;
  }
  void press(char key) { ASSERT_EQ(write(master_, &key, 1), 1); }
  void signal(int number) { kill(pid_, number); }
  /// The signal that ended it, 0 when none did.
  int wait() {
    int status = 0;
    while (waitpid(pid_, &status, WNOHANG) == 0) read_some(20);
    read_some(20);
    pid_ = -1;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  void wait_until_stopped() const {
    int status = 0;
    waitpid(pid_, &status, WUNTRACED);
    EXPECT_TRUE(WIFSTOPPED(status));
  }
  bool modes_are_as_before() const {
    const termios now = modes();
    return now.c_lflag == before_.c_lflag && now.c_iflag == before_.c_iflag &&
           now.c_oflag == before_.c_oflag && std::memcmp(now.c_cc, before_.c_cc, NCCS) == 0;
  }
  const std::string& out() const { return out_; }

 private:
  termios modes() const {
    termios now{};
    tcgetattr(slave_, &now);
    return now;
  }
  void read_some(int wait_ms) {
    pollfd input{master_, POLLIN, 0};
    char bytes[4096];
    while (poll(&input, 1, wait_ms) > 0) {
      const ssize_t got = read(master_, bytes, sizeof bytes);
      if (got <= 0) return;
      out_.append(bytes, static_cast<std::size_t>(got));
      wait_ms = 0;
    }
  }
  int master_ = -1, slave_ = -1;
  pid_t pid_ = -1;
  termios before_{};
  std::string out_;
};

const std::vector<std::string> kLong = {"run",          "--duration", "60",
                                        "--no-compare", "--policy",   "rule"};
const std::string kHint = "? what the words mean";

TEST(CliRunDisplay, GivesTheTerminalBackHoweverItEnds) {
  const OwnConfigs configs;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV, SIGUSR1, SIGALRM}) {
    OnTerminal flyball(80, kLong);
    ASSERT_TRUE(flyball.shows(kHint)) << flyball.out();
    EXPECT_FALSE(flyball.modes_are_as_before()) << "keys are not read";
    flyball.signal(signal);
    flyball.wait();
    EXPECT_TRUE(flyball.modes_are_as_before()) << strsignal(signal);
  }
  OnTerminal flyball(80, {"run", "--duration", "1", "--no-compare", "--policy", "rule"});
  EXPECT_EQ(flyball.wait(), 0);
  EXPECT_THAT(flyball.out(), HasSubstr(kHint));
  EXPECT_TRUE(flyball.modes_are_as_before());
}

TEST(CliRunDisplay, GivesTheTerminalBackWhileItIsStopped) {
  const OwnConfigs configs;
  OnTerminal flyball(80, kLong);
  ASSERT_TRUE(flyball.shows(kHint));
  flyball.signal(SIGTSTP);
  flyball.wait_until_stopped();
  EXPECT_TRUE(flyball.modes_are_as_before());
  flyball.signal(SIGCONT);
  ASSERT_TRUE(flyball.shows(kHint));
  EXPECT_FALSE(flyball.modes_are_as_before());
}

TEST(CliRunDisplay, ExplainsItsWordsOnRequest) {
  const OwnConfigs configs;
  OnTerminal flyball(100, kLong);
  ASSERT_TRUE(flyball.shows(kHint));
  EXPECT_THAT(flyball.out(), Not(HasSubstr("demand      ")));
  flyball.press('?');
  ASSERT_TRUE(flyball.shows("? the last minute again"));
  for (const char* word : {"cpux", "demand", "slack", "floor", "spread", "_x", "infeasible"})
    EXPECT_THAT(flyball.out(), HasSubstr(word));
  EXPECT_THAT(flyball.out(), HasSubstr("demand       least time the job can take"));
}

/// The lines of the last look.
std::vector<std::string> last_look(const std::string& out) {
  const std::size_t end = out.rfind(kHint);
  const std::size_t start = out.rfind("rule on host", end);
  std::vector<std::string> lines;
  std::istringstream look(out.substr(start, end - start));
  for (std::string line; std::getline(look, line);) {
    std::string plain;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '\033') {
        while (i < line.size() && std::isalpha(static_cast<unsigned char>(line[i])) == 0) ++i;
      } else if (line[i] != '\r') {
        plain += line[i];
      }
    }
    lines.push_back(plain);
  }
  return lines;
}

TEST(CliRunDisplay, NothingIsCutOnANarrowTerminal) {
  const OwnConfigs configs;
  setenv("LC_ALL", "C", 1);
  for (const int columns : {60, 80, 120}) {
    OnTerminal flyball(columns, {"run", "--duration", "3", "--no-compare", "--policy", "rule"});
    EXPECT_EQ(flyball.wait(), 0);
    const std::vector<std::string> lines = last_look(flyball.out());
    std::string all;
    for (const std::string& line : lines) {
      EXPECT_LT(line.size(), static_cast<std::size_t>(columns)) << line;
      all += line + '\n';
    }
    EXPECT_THAT(all, ::testing::ContainsRegex("[0-9]+ of [0-9]+ missed \\([0-9.]+ %\\)"));
    EXPECT_THAT(all, ::testing::ContainsRegex("cpux[0-9]+, width +[0-9]+ %"));
    EXPECT_THAT(all, HasSubstr("mJ/job"));
    EXPECT_THAT(all, ::testing::ContainsRegex("last [0-9]+ s .*up to [0-9]+ mW"));
    EXPECT_THAT(all, ::testing::ContainsRegex("up to [0-9.]+ of a deadline"));
    EXPECT_THAT(all, ::testing::ContainsRegex("[0-9]+ missed\n"));
  }
  unsetenv("LC_ALL");
}

TEST(CliRunDisplay, FinishedPoliciesStayAndTheLastJobsDecisionIsShown) {
  const OwnConfigs configs;
  const Finished finished =
      flyball_run({"run", "--duration", "3", "--compare-with", "performance"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.err,
              ::testing::ContainsRegex("\nq_learning, [0-9.]+ s: [0-9]+ jobs, [0-9.]+ mJ/job, "
                                       "[0-9.]+ % missed, [0-9.]+ % accuracy\n"));
  EXPECT_THAT(finished.err, ::testing::ContainsRegex("\nperformance, [0-9.]+ s: "));
  EXPECT_THAT(finished.err, HasSubstr("slack"));
  EXPECT_THAT(finished.err, Not(HasSubstr("no job: lowest clocks")));
}

// The thermal governor caps for an epoch or two at a time: each is said, whatever the last one was.
TEST(CliRunDisplay, SaysThatHeatHeldTheClockDown) {
  const OwnConfigs configs;
  const std::vector<std::string> run = {"run",  "--duration",   "2",      "--policy",
                                        "rule", "--no-compare", "--plain"};
  EXPECT_THAT(flyball_run(run).err, Not(HasSubstr(" throttled")));
  const std::string host = configs.config("platforms/host.yaml");
  std::string text = read_text(host);
  for (const char* trip : {"temp_c: 75", "temp_c: 85"}) {
    ASSERT_NE(text.find(trip), std::string::npos);
    text.replace(text.find(trip), std::strlen(trip), "temp_c: 30");
  }
  std::ofstream(host) << text;
  EXPECT_THAT(flyball_run(run).err, HasSubstr(" C throttled"));
}

// Whatever waits at the end: here all jobs are late, and more come than can be done.
TEST(CliRunDisplay, AMissRateIsTheSameWhereverItIsPrinted) {
  const OwnConfigs configs;
  std::ofstream(configs / "late.yaml")
      << "schema: 1\nname: late\nduration_s: 1\napps:\n  - name: camera\n    profile: dynamic_cnn\n"
         "    arrival: {kind: periodic, period_x: 0.4}\n    deadline_ms: 0.05\n";
  const Finished finished = flyball_run({"run", "--scenario", configs / "late.yaml", "--policy",
                                         "performance", "--no-compare", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(json::parse(finished.out).at("policies")[0].at("deadline_miss_pct"), 100.0);
  EXPECT_THAT(finished.err, ::testing::ContainsRegex("\nperformance, [^\n]*, 100.00 % missed"));
}

TEST(CliRunDisplay, WithoutAJobThereIsNoLatencyAndNoMissRate) {
  const OwnConfigs configs;
  std::ofstream(configs / "none.yaml")
      << "schema: 1\nname: none\nduration_s: 3\napps:\n  - name: camera\n    profile: dynamic_cnn\n"
         "    arrival: {kind: periodic, period_ms: 1000}\n    deadline_ms: 500\n    start_s: "
         "2.999\n";
  const Finished finished = flyball_run({"run", "--scenario", configs / "none.yaml", "--policy",
                                         "performance", "--no-compare", "--plain"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr(", -/500.0 ms, no job finished yet  "));
  EXPECT_THAT(finished.err, HasSubstr(": 0 jobs\n"));
  EXPECT_THAT(finished.out, HasSubstr("no job finished: '-' has no figure"));
}

}  // namespace
}  // namespace flyball::testing
