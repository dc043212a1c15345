#include "governor/cli/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <string_view>
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

const char* g_last_words = nullptr;

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};
std::array<struct sigaction, kSignals.size()> g_handlers_before;

constexpr int kNotDone = 1;
constexpr int kEndedBySignal = 128;  // the shell's convention: 128 + the signal's number

[[noreturn]] void end_now(std::string_view words, int code) {
  constexpr std::string_view kEraseBar = "\r\033[K\033[0m";
  [[maybe_unused]] ssize_t written = 0;
  Keyboard::restore();
  if (isatty(STDERR_FILENO)) written = write(STDERR_FILENO, kEraseBar.data(), kEraseBar.size());
  written = write(STDERR_FILENO, words.data(), words.size());
  _exit(code);
}

void on_signal(int signal) {
  if (g_last_words != nullptr) end_now(g_last_words, kNotDone);
  // A terminal that closes sends SIGHUP, and its shell once more.
  if (g_stop.exchange(true) && signal != SIGHUP) end_now("", kEndedBySignal + signal);
  g_in_handler.fetch_add(1);
  if (Platform* platform = g_platform.load()) platform->interrupt();
  g_in_handler.fetch_sub(1);
}

}  // namespace

InterruptScope::InterruptScope(const char* last_words) {
  g_stop = false;
  g_last_words = last_words;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &g_handlers_before[i]);
    // Whoever started this ignores it (nohup, a shell's background jobs): so it stays.
    if (g_handlers_before[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &action, nullptr);
  }
}

InterruptScope::~InterruptScope() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &g_handlers_before[i], nullptr);
  g_last_words = nullptr;
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
