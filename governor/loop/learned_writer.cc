#include "governor/loop/learned_writer.h"

#include "kernels/base/clock.h"
#include "kernels/base/error.h"
#include "kernels/base/quiet_thread.h"

namespace flyball {

LearnedWriter::LearnedWriter(const Agent& agent, std::string path, PolicyIdentity identity,
                             Options options)
    : agent_(agent),
      path_(std::move(path)),
      identity_(std::move(identity)),
      options_(options),
      next_ns_(options.every_ns) {
  agent_.save(snapshot_);  // makes the room
  snapshot_.clear();
  thread_ = quiet_thread([this] { body(); });
}

LearnedWriter::~LearnedWriter() {
  if (thread_.joinable()) finish();
}

void LearnedWriter::on_epoch(const EpochEvent& event) {
  if (event.outcome.now_ns < next_ns_ || busy_.load(std::memory_order_acquire)) return;
  next_ns_ = event.outcome.now_ns + options_.every_ns;
  snapshot_.clear();
  agent_.save(snapshot_);
  busy_.store(true, std::memory_order_release);
  bell_.ring();
}

void LearnedWriter::body() {
  constexpr std::int64_t kLongNs = 3'600'000'000'000;  // the bell rings before
  for (;;) {
    const std::uint32_t seen = bell_.mark();
    if (busy_.load(std::memory_order_acquire)) {
      write();
      busy_.store(false, std::memory_order_release);
      continue;
    }
    if (stop_.load(std::memory_order_acquire)) return;
    bell_.wait(seen, monotonic_ns() + kLongNs);
  }
}

bool LearnedWriter::write() {
  try {
    write_policy(path_, {identity_, snapshot_.view()});
    written_.fetch_add(1, std::memory_order_relaxed);
    problem_.clear();
    return true;
  } catch (const std::exception& error) {
    problem_ = error.what();
    return false;
  }
}

std::string LearnedWriter::finish() {
  if (!thread_.joinable()) return problem_;
  stop_.store(true, std::memory_order_release);
  bell_.ring();
  thread_.join();
  snapshot_.clear();
  agent_.save(snapshot_);
  write();
  return problem_;
}

}  // namespace flyball
