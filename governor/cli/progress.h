#pragma once

#include <chrono>
#include <string>

#include "governor/cli/terminal.h"

namespace flyball::cli {

/// A progress bar with the time left, on standard error, when that is a terminal. It appears after
/// one second, so that what is quick stays quiet, and it is gone when the object is.
class Progress {
 public:
  explicit Progress(std::string label);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` from 0 to 1.
  void update(double done);
  /// Takes the bar away until the next update, to print a line in its place.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  std::string label_;
  Terminal terminal_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_ = start_;
  bool shown_ = false;
};

/// "42 s", "3 min 20 s", "2 h 5 min".
std::string duration_text(double seconds);
/// A bar of `width` characters; `mark` (0 to 1; negative: none) is a limit drawn into it.
std::string bar(double share, int width, bool unicode, double mark = -1);

}  // namespace flyball::cli
