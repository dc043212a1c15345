#include "governor/cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <system_error>

namespace flyball::cli {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kRedraw{200};

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
    : label_(std::move(label)), terminal_(Terminal::of(STDERR_FILENO)) {
  if (!terminal_.is_tty) return;
  try {
    thread_ = std::thread([this] { tick(); });
  } catch (const std::system_error&) {  // no thread to be had: the work goes on without a bar
  }
}

Progress::~Progress() { stop(); }

void Progress::update(double done) {
  const std::lock_guard lock(mutex_);
  done_ = std::clamp(done, 0.0, 1.0);
}

void Progress::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Progress::print_above(const std::string& text) {
  const std::lock_guard lock(mutex_);
  erase();
  write_result(text);
}

void Progress::tick() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kRedraw, [this] { return stopped_; })) {
    if (Clock::now() - start_ >= seconds(1)) draw();
  }
  erase();
}

void Progress::draw() {
  std::string left = "starting";
  if (done_ > 0) {
    const double elapsed_s = duration<double>(Clock::now() - start_).count();
    left = duration_text(elapsed_s * (1 - done_) / done_) + " left";
  }
  const std::string line = fmt::format("{}  {}  {:3.0f} %  {}", label_,
                                       bar(done_, 30, terminal_.unicode), 100 * done_, left);
  write_note("\r\033[K" + cut_to(line, terminal_.columns - 1));
  shown_ = true;
}

void Progress::erase() {
  if (shown_) write_note("\r\033[K");
  shown_ = false;
}

}  // namespace flyball::cli
