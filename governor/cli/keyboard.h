#pragma once

namespace flyball::cli {

/// Single keys from standard input while this lives, without echo; one at a time. Only where
/// standard input is a terminal that this process may read now; nothing is changed otherwise.
///
/// The terminal gets its modes back when this ends, when a signal ends or stops the program, and,
/// by restore(), before any other way out. SIGKILL alone leaves no chance.
class Keyboard {
 public:
  Keyboard();
  ~Keyboard();
  Keyboard(const Keyboard&) = delete;
  Keyboard& operator=(const Keyboard&) = delete;

  bool on() const;
  /// The next key that was pressed; '\0' when there is none. Never waits.
  char key();

  /// For signal handlers too.
  static void restore();

 private:
  bool active_ = false;
};

}  // namespace flyball::cli
