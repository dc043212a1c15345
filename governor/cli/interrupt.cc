#include "governor/cli/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <thread>

#include "env/platform.h"
#include "governor/cli/keyboard.h"

namespace flyball::cli {
namespace {

// What the handler touches: lock-free atomics, interrupt(), write and _exit only.
std::atomic<bool> g_stop{false};
std::atomic<Platform*> g_platform{nullptr};
std::atomic<int> g_in_handler{0};
static_assert(std::atomic<bool>::is_always_lock_free &&
              std::atomic<Platform*>::is_always_lock_free);

struct sigaction g_old_int, g_old_term;

constexpr int kEndedBySignal = 128;  // the shell's convention: 128 + the signal's number

void on_signal(int signal) {
  if (g_stop.exchange(true)) {
    Keyboard::restore();
    constexpr char kNewline[] = "\033[0m\n";
    [[maybe_unused]] const ssize_t written =
        isatty(STDERR_FILENO) ? write(STDERR_FILENO, kNewline, 5) : 0;
    _exit(kEndedBySignal + signal);
  }
  g_in_handler.fetch_add(1);
  if (Platform* platform = g_platform.load()) platform->interrupt();
  g_in_handler.fetch_sub(1);
}

}  // namespace

InterruptScope::InterruptScope() {
  g_stop = false;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &g_old_int);
  sigaction(SIGTERM, &action, &g_old_term);
}

InterruptScope::~InterruptScope() {
  sigaction(SIGINT, &g_old_int, nullptr);
  sigaction(SIGTERM, &g_old_term, nullptr);
}

const std::atomic<bool>& InterruptScope::stop() const { return g_stop; }

InterruptsPlatform::InterruptsPlatform(Platform& platform) {
  g_platform = &platform;
  if (g_stop) platform.interrupt();  // the signal came before there was anything to interrupt
}

InterruptsPlatform::~InterruptsPlatform() {
  g_platform = nullptr;
  while (g_in_handler.load() > 0)
    std::this_thread::yield();  // on another thread, with the old pointer
}

}  // namespace flyball::cli
