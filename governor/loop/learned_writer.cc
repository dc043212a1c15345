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
      next_ns_(options.every_ns),
      room_(agent.saved_bytes()) {
  snapshot_.reserve(room_);
  thread_ = quiet_thread([this] { body(); });
}

LearnedWriter::~LearnedWriter() { end(); }

void LearnedWriter::on_bind(int, const Binding&, const Observation&) {
  room_ = agent_.saved_bytes();
  if (!busy_.load(std::memory_order_acquire)) snapshot_.reserve(room_);  // else the thread does it
}

void LearnedWriter::on_epoch(const EpochEvent& event) noexcept {
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
      if (const std::size_t room = room_; room > snapshot_.view().capacity()) {
        snapshot_.clear();
        snapshot_.reserve(room);
      }
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
  end();
  return problem_;
}

void LearnedWriter::end() noexcept {
  if (!thread_.joinable()) return;
  stop_.store(true, std::memory_order_release);
  bell_.ring();
  thread_.join();
  try {
    snapshot_.clear();
    agent_.save(snapshot_);
    write();
  } catch (const std::exception& error) {  // no memory for the snapshot
    problem_ = error.what();               // short enough to need none
  }
}

}  // namespace flyball
