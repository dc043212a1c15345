#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace flyball::testing {

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
      const ssize_t got = ::read(master_, bytes, sizeof bytes);
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

}  // namespace flyball::testing
