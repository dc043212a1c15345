#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace flyball::testing {

struct Finished {
  int exit_code = -1;  ///< 128 + signal when one ended it
  std::string out;
  std::string err;
};

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A folder of its own for a test, removed with it.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "flyball-cli-XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp failed");
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The real `flyball`, started with its outputs in files; in the emulator when cross-compiled.
class Flyball {
 public:
  enum class Out { kFile, kClosedPipe, kFullDevice };
  struct Options {
    Out out = Out::kFile;
    rlim_t file_bytes = RLIM_INFINITY;     ///< larger none of its files may become
    rlim_t address_bytes = RLIM_INFINITY;  ///< of memory
    int ignored_signal = 0;                ///< by whoever starts it
  };
  explicit Flyball(const std::vector<std::string>& arguments) : Flyball(arguments, Options()) {}
  Flyball(const std::vector<std::string>& arguments, const Options& options) {
    std::vector<std::string> words;
    if (*FLYBALL_EMULATOR != '\0') words.push_back(FLYBALL_EMULATOR);
    words.push_back(std::string(FLYBALL_BIN_DIR) + "/flyball");
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string out = dir_ / "out", err = dir_ / "err";
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) {
      dup2(open("/dev/null", O_RDONLY), 0);
      dup2(open_out(options.out, out), 1);
      dup2(open(err.c_str(), O_WRONLY | O_CREAT, 0600), 2);
      // What somebody learned on this machine is not for a test to start from.
      setenv("XDG_STATE_HOME", (dir_ / "state").c_str(), 0);
      // Whatever the test runner ignores.
      for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);
      if (options.ignored_signal != 0) ::signal(options.ignored_signal, SIG_IGN);
      limit(RLIMIT_FSIZE, options.file_bytes);
      limit(RLIMIT_AS, options.address_bytes);
      execvp(argv[0], argv.data());
      _exit(127);
    }
  }
  ~Flyball() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  Flyball(const Flyball&) = delete;
  Flyball& operator=(const Flyball&) = delete;

  void signal(int number) { kill(pid_, number); }
  /// /proc/PID/status
  std::string status() const {
    return read_text(std::filesystem::path("/proc") / std::to_string(pid_) / "status");
  }
  std::string err_so_far() const { return read_text(dir_ / "err"); }

  Finished wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    Finished finished;
    finished.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    finished.out = read_text(dir_ / "out");
    finished.err = read_text(dir_ / "err");
    return finished;
  }

 private:
  static int open_out(Out out, const std::string& path) {
    if (out == Out::kFullDevice) return open("/dev/full", O_WRONLY);
    if (out == Out::kFile) return open(path.c_str(), O_WRONLY | O_CREAT, 0600);
    int ends[2];
    if (pipe(ends) != 0) _exit(127);
    close(ends[0]);
    return ends[1];
  }
  static void limit(int resource, rlim_t value) {
    if (value == RLIM_INFINITY) return;
    const rlimit both{value, value};
    setrlimit(static_cast<__rlimit_resource>(resource), &both);
  }

  TempDir dir_;
  pid_t pid_ = -1;
};

inline Finished flyball_run(const std::vector<std::string>& arguments) {
  return Flyball(arguments).wait();
}

}  // namespace flyball::testing

/// At the beginning of a test in which the program starts another, as `run` does its supervisor: under
/// QEMU's user-mode emulation the kernel would have to know how to run it.
#define FLYBALL_STARTS_PROGRAMS()                                                              \
  do {                                                                                         \
    if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "an emulated program cannot start another"; \
  } while (false)
