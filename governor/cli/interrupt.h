#pragma once

#include <atomic>

namespace flyball {
class Platform;
}

namespace flyball::cli {

/// Ctrl-C, SIGTERM and SIGHUP while this lives: the first asks to stop (`stop`, and the platform
/// that runs, if any), the second ends the program at once. Signals that were ignored when the
/// program started stay so. One at a time.
class InterruptScope {
 public:
  /// `last_words`: for a verb with nothing to keep. The first signal ends the program at once, with
  /// this line on standard error and exit status 1.
  explicit InterruptScope(const char* last_words = nullptr);
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

  const std::atomic<bool>& stop() const;
  bool stopped() const { return stop().load(); }
};

/// While this lives, the platform is the one that a signal interrupts; one at a time.
class InterruptsPlatform {
 public:
  explicit InterruptsPlatform(Platform& platform);
  ~InterruptsPlatform();
  InterruptsPlatform(const InterruptsPlatform&) = delete;
  InterruptsPlatform& operator=(const InterruptsPlatform&) = delete;
};

}  // namespace flyball::cli
