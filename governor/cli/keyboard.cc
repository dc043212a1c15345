#include "governor/cli/keyboard.h"

#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>

namespace flyball::cli {
namespace {

// Signals that end a program unless somebody handles them; the three of InterruptScope, which calls
// restore() where it leaves, are not among them.
constexpr std::array kEnding = {SIGQUIT,   SIGILL,  SIGTRAP, SIGABRT, SIGBUS,    SIGFPE,
                                SIGUSR1,   SIGSEGV, SIGUSR2, SIGALRM, SIGXCPU,   SIGXFSZ,
                                SIGVTALRM, SIGPROF, SIGIO,   SIGSYS,  SIGSTKFLT, SIGPWR};

// What the handlers touch: written before they are installed.
termios g_before, g_keys;
std::atomic<bool> g_changed{false};
std::array<struct sigaction, kEnding.size()> g_old_ending;
struct sigaction g_old_stop, g_old_continue;

bool in_foreground() { return tcgetpgrp(STDIN_FILENO) == getpgrp(); }

void take_keys() {
  g_changed = true;
  tcsetattr(STDIN_FILENO, TCSADRAIN, &g_keys);
}

/// As the signal would have done.
void die_of(int signal) {
  Keyboard::restore();
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  sigaction(signal, &by_default, nullptr);
  raise(signal);  // delivered when this handler returns
}

void on_stop(int) {
  const int error = errno;
  Keyboard::restore();
  raise(SIGSTOP);
  errno = error;
}

/// With the terminal, or in the background and some day with it.
void on_continue(int) {
  const int error = errno;
  if (!g_changed && in_foreground()) take_keys();
  errno = error;
}

/// Leaves alone what others handle or ignore.
void handle(int signal, void (*handler)(int), struct sigaction& old) {
  sigaction(signal, nullptr, &old);
  if (old.sa_handler != SIG_DFL) return;
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

}  // namespace

Keyboard::Keyboard() {
  active_ = isatty(STDIN_FILENO) == 1 && in_foreground() && tcgetattr(STDIN_FILENO, &g_before) == 0;
  if (!active_) return;
  g_keys = g_before;
  g_keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // Ctrl-C and Ctrl-Z stay signals
  g_keys.c_cc[VMIN] = 0;
  g_keys.c_cc[VTIME] = 0;
  for (std::size_t i = 0; i < kEnding.size(); ++i) handle(kEnding[i], die_of, g_old_ending[i]);
  handle(SIGTSTP, on_stop, g_old_stop);
  handle(SIGCONT, on_continue, g_old_continue);
  static const int at_exit = std::atexit(restore);
  (void)at_exit;
  take_keys();
}

Keyboard::~Keyboard() {
  if (!active_) return;
  restore();
  for (std::size_t i = 0; i < kEnding.size(); ++i) sigaction(kEnding[i], &g_old_ending[i], nullptr);
  sigaction(SIGTSTP, &g_old_stop, nullptr);
  sigaction(SIGCONT, &g_old_continue, nullptr);
}

bool Keyboard::on() const { return g_changed; }

char Keyboard::key() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  char key = '\0';
  if (!on() || !in_foreground() || poll(&input, 1, 0) <= 0) return '\0';
  return read(STDIN_FILENO, &key, 1) == 1 ? key : '\0';
}

void Keyboard::restore() {
  if (!g_changed.exchange(false)) return;
  // From the background the system would stop the program for this; who is in front set the modes.
  if (in_foreground()) tcsetattr(STDIN_FILENO, TCSADRAIN, &g_before);
}

}  // namespace flyball::cli
