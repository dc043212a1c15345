#include "governor/cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace flyball::cli {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kRedraw{100};

}  // namespace

std::string duration_text(double time_s) {
  const auto whole = static_cast<long>(std::ceil(std::max(0.0, time_s) - 1e-6));
  if (whole < 90) return fmt::format("{} s", whole);
  if (whole < 90 * 60) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string bar(double share, int width, bool unicode, double mark) {
  const char* full = unicode ? "█" : "#";
  const char* empty = unicode ? "░" : ".";
  const char* limit = unicode ? "│" : "|";
  const auto cells = [&](double part) {
    return static_cast<int>(std::lround(std::clamp(part, 0.0, 1.0) * width));
  };
  const int filled = std::isfinite(share) ? cells(share) : 0;
  const int mark_cell = mark < 0 ? -1 : std::min(cells(mark), width - 1);
  std::string text;
  for (int i = 0; i < width; ++i) text += i == mark_cell ? limit : i < filled ? full : empty;
  return text;
}

Progress::Progress(std::string label)
    : label_(std::move(label)), terminal_(Terminal::of(STDERR_FILENO)) {}

void Progress::update(double done) {
  if (!terminal_.is_tty) return;
  const auto now = Clock::now();
  if (now - start_ < seconds(1) || (shown_ && now - drawn_ < kRedraw)) return;
  const double elapsed_s = duration<double>(now - start_).count();
  done = std::clamp(done, 0.0, 1.0);
  const std::string left =
      done > 0 ? duration_text(elapsed_s * (1 - done) / done) + " left" : "starting";
  const std::string line = fmt::format("{}  {}  {:3.0f} %  {}", label_,
                                       bar(done, 30, terminal_.unicode), 100 * done, left);
  write_note("\r\033[K" + cut_to(line, terminal_.columns - 1));
  drawn_ = now;
  shown_ = true;
}

void Progress::clear() {
  if (shown_) write_note("\r\033[K");
  shown_ = false;
}

}  // namespace flyball::cli
