#include "kernels/training/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace flyball {
namespace {

constexpr std::chrono::milliseconds kRedraw{200};
constexpr int kBarWidth = 24;

std::string duration(double seconds) {
  const int s = static_cast<int>(seconds + 0.5);
  return s < 3600 ? fmt::format("{}:{:02}", s / 60, s % 60)
                  : fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

}  // namespace

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO)) {}

ProgressLine::~ProgressLine() {
  if (terminal_) std::fputs("\r\x1b[K", stderr);
}

void ProgressLine::show(const TrainingReport& r) {
  const Clock::time_point now = Clock::now();
  const bool epoch_over = r.step == r.steps;
  if (done_at_start_ < 0) done_at_start_ = r.done;
  if (!epoch_over && (!terminal_ || now - drawn_ < kRedraw)) return;
  drawn_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double speed = (r.done - done_at_start_) / std::max(seconds, 1e-3);
  std::string line = r.phases > 1 ? fmt::format("group {}/{}, ", r.phase + 1, r.phases) : "";
  line += fmt::format("epoch {}/{}: loss {:.3f}, top-1 {:.1f} %", r.epoch + 1, r.epochs, r.loss,
                      r.accuracy_pct);
  if (r.validation_pct >= 0) line += fmt::format(", held out {:.1f} %", r.validation_pct);
  if (speed > 0) line += fmt::format(", {} left", duration((1 - r.done) / speed));
  if (terminal_ && !epoch_over) {
    const int filled = static_cast<int>(r.done * kBarWidth);
    fmt::print(stderr, "\r\x1b[K[{}{}] {}", std::string(filled, '#'),
               std::string(kBarWidth - filled, '.'), line);
  } else {
    fmt::print(stderr, "{}{}\n", terminal_ ? "\r\x1b[K" : "", line);
  }
  std::fflush(stderr);
}

}  // namespace flyball
