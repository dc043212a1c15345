#pragma once

#include <fcntl.h>
#include <signal.h>
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
  explicit Flyball(const std::vector<std::string>& arguments) {
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
      dup2(open(out.c_str(), O_WRONLY | O_CREAT, 0600), 1);
      dup2(open(err.c_str(), O_WRONLY | O_CREAT, 0600), 2);
      // What somebody learned on this machine is not for a test to start from.
      setenv("XDG_STATE_HOME", (dir_ / "state").c_str(), 0);
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
  TempDir dir_;
  pid_t pid_ = -1;
};

inline Finished flyball_run(const std::vector<std::string>& arguments) {
  return Flyball(arguments).wait();
}

}  // namespace flyball::testing
