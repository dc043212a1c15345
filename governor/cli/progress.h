#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "governor/cli/terminal.h"

namespace flyball::cli {

/// A progress bar with the time left, on standard error, when that is a terminal. It appears after
/// one second, so that what is quick stays quiet, and it is gone when the object is. A thread of
/// its own keeps the time left running between updates, which may be many seconds apart.
class Progress {
 public:
  explicit Progress(std::string label);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` from 0 to 1.
  void update(double done);
  /// Takes the bar away for good, to print the result.
  void stop();
  /// Writes `text` to standard output with the bar out of its way.
  void print_above(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  void tick();
  void draw();
  void erase();

  std::string label_;
  Terminal terminal_;
  const Clock::time_point start_ = Clock::now();
  std::mutex mutex_;
  std::condition_variable wake_;
  double done_ = 0;
  bool shown_ = false;
  bool stopped_ = false;
  std::thread thread_;  ///< on a terminal only
};

/// "42 s", "3 min 20 s", "2 h 5 min".
std::string duration_text(double seconds);
/// A bar of `width` characters; `mark` (0 to 1; negative: none) is a limit drawn into it.
std::string bar(double share, int width, bool unicode, double mark = -1);

}  // namespace flyball::cli
