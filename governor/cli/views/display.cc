#include "governor/cli/views/display.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <system_error>

#include "kernels/base/suspend.h"

namespace flyball::cli {
namespace {

constexpr std::chrono::milliseconds kDisplayRedraw{200};
constexpr std::chrono::milliseconds kLine{1000};

/// Signals go to the other threads: this one may be waiting for a slow terminal. What it does wrong
/// itself still has to reach a handler.
std::thread start_without_signals(auto&& body) {
  sigset_t all, before;
  sigfillset(&all);
  for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS})
    sigdelset(&all, own);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(body);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

Display::Display(const PlatformSpec& platform, const Scenario& scenario, LiveTitle title,
                 LiveSink& source, bool plain)
    : platform_(platform),
      scenario_(scenario),
      monitors_(live_monitors(platform, scenario)),
      title_(std::move(title)),
      source_(source),
      plain_(plain || !Terminal::of(STDERR_FILENO).is_tty),
      suspended_before_ns_(suspended_ns()) {
  if (!plain_) keyboard_.emplace();
  try {
    thread_ = start_without_signals([this] { show(); });
  } catch (const std::system_error&) {  // no thread to be had: the run goes on unseen
  }
}

Display::~Display() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  if (const std::string clear = block_.clear(); !clear.empty()) write_note(clear);
  if (const LiveState* last = source_.fetch()) seen_ = last;
  if (seen_) write_note(wrapped(done_line(title_, *seen_), Terminal::of(STDERR_FILENO).columns, 2));
}

Look Display::look_at(const LiveState& state) {
  Look look;
  for (int c = 0; c < state.clusters; ++c) {
    look.throttled[c] = state.cluster[c].capped_epochs > capped_epochs_[c];
    capped_epochs_[c] = state.cluster[c].capped_epochs;
  }
  look.suspended_s = static_cast<double>(suspended_ns() - suspended_before_ns_) * 1e-9;
  look.keys = keyboard_ && keyboard_->on();
  look.page = page_;
  return look;
}

void Display::show() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, plain_ ? kLine : kDisplayRedraw, [this] { return done_; })) {
    bool asked = false;
    for (char key = '?'; keyboard_ && (key = keyboard_->key()) != '\0';) {
      const auto turn_to = [&](LivePage page) {
        page_ = page_ == page ? LivePage::kHistory : page;
      };
      if (key == '?') turn_to(LivePage::kLegend);
      if (key == 'm') turn_to(LivePage::kMonitors);
      asked = true;
    }
    const LiveState* state = source_.fetch();
    if (state) seen_ = state;
    if (!seen_ || (!state && !asked)) continue;
    if (plain_) {
      write_note(live_line(platform_, scenario_, title_, *seen_, look_at(*seen_)) + '\n');
    } else {
      redraw(*seen_, Terminal::of(STDERR_FILENO));
    }
  }
}

void Display::redraw(const LiveState& state, const Terminal& terminal) {
  std::vector<std::string> lines =
      live_block(platform_, scenario_, monitors_, title_, state, look_at(state), terminal);
  write_note(block_.draw(std::move(lines), terminal.rows));
}

}  // namespace flyball::cli
