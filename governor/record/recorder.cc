#include "governor/record/recorder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>

#include "governor/record/recording_header.h"
#include "kernels/base/error.h"
#include "kernels/base/file_descriptor.h"

namespace flyball {
namespace {

[[noreturn]] void cannot(const std::string& path, const char* what, int reason) {
  failure(fmt::format("recording {}", path), fmt::format("{}: {}", what, std::strerror(reason)),
          "choose a path that can be written, on a disk with room");
}

/// What is at `path` already is only replaced if it is a recording, and only once that is known.
FileDescriptor open_existing(const std::string& path) {
  FileDescriptor file(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!file) cannot(path, "cannot be opened", errno);
  struct stat status;
  char start[sizeof kRecordingMagic] = {};
  const bool ours = fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) &&
                    pread(file.get(), start, sizeof start, 0) == sizeof start &&
                    std::memcmp(start, kRecordingMagic, sizeof start) == 0;
  if (!ours) {
    input_error(fmt::format("recording {}", path), "exists and is not a flyball recording",
                "name another file, or remove it first");
  }
  if (ftruncate(file.get(), 0) != 0) cannot(path, "cannot be emptied", errno);
  return file;
}

/// 0, or the errno of what went wrong.
int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : EIO;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

/// A new recording with its header. A file made for it does not stay when that fails.
FileDescriptor open_for_recording(const std::string& path, const std::string& header) {
  FileDescriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  const int reason = errno;
  const bool made = static_cast<bool>(file);
  if (!made) {
    if (reason != EEXIST) cannot(path, "cannot be created", reason);
    file = open_existing(path);
  }
  if (const int error = write_all(file.get(), header)) {
    if (made) unlink(path.c_str());
    cannot(path, "cannot be written", error);
  }
  return file;
}

}  // namespace

Recorder::Recorder(const std::string& path, const RecordingInfo& info, Options options)
    : path_(path),
      options_(options),
      table_(info.platform, info.weights, info.measured),
      slots_(kMaxApps) {
  knobs_.clusters = static_cast<int>(info.platform.clusters.size());
  follow_roster();
  const std::string header = encode_header(info);
  FileDescriptor file = open_for_recording(path, header);
  try {
    writer_ = std::make_unique<BlockWriter>(std::move(file), header.size(), options.wait_for_disk);
  } catch (const std::system_error& error) {
    failure(fmt::format("recording {}", path),
            fmt::format("no thread to write it: {}", error.what()),
            "allow this process more threads (ulimit -u)");
  }
}

Recorder::~Recorder() { finish(); }

void Recorder::follow_roster() {
  std::vector<Monitor> rows = stored_rows(table_.rows());
  // By slot, as the roster is: whoever reads only the blocks after a bind does not know the order.
  std::stable_sort(rows.begin(), rows.end(), [](const Monitor& a, const Monitor& b) {
    const auto rank = [](const Monitor& row) {
      return row.scope == Monitor::Scope::kApp ? 1 + row.index : 0;
    };
    return rank(a) < rank(b);
  });
  rows_.set_rows(std::move(rows));
  absolute_ = true;
  roster_bytes_ = 2;
  knobs_.slots = 0;
  for (int a = 0; a < kMaxApps; ++a) {
    if (!slots_[static_cast<std::size_t>(a)].bound) continue;
    roster_bytes_ += kMaxBindingBytes;
    knobs_.slots = a + 1;
  }
  epoch_bytes_ = 2 + rows_.max_bytes() + kMaxDecisionBytes + kMaxEpochJobs * (1 + kMaxJobBytes);
}

Encoder Recorder::begin(std::size_t bytes) {
  const bool first = writer_->between_blocks();
  if (first) bytes += roster_bytes_;
  Encoder out{writer_->reserve(bytes)};
  reserved_end_ = out.at + bytes;
  if (first) {
    put_roster(out);
    state_ = {};
    absolute_ = true;
  }
  return out;
}

void Recorder::put_roster(Encoder& out) const {
  out(static_cast<std::uint8_t>(RecordType::kRoster));
  std::uint8_t* count = out.at++;
  *count = 0;
  for (int a = 0; a < kMaxApps; ++a) {
    const Slot& slot = slots_[static_cast<std::size_t>(a)];
    if (!slot.bound) continue;
    put_binding(out, a, slot.binding);
    ++*count;
  }
}

void Recorder::put_observation(Encoder& out, const Observation& now) {
  if (absolute_) rows_.reset();
  absolute_ = false;
  BitWriter bits(out.at);
  rows_.encode(now, bits);
  out.at = bits.finish();
}

void Recorder::put_state(const Observation& now) {
  Encoder out = begin(2 + rows_.max_bytes());
  out(static_cast<std::uint8_t>(RecordType::kState));
  out(absolute_);
  put_observation(out, now);
  end(out);
  started_ = true;
}

void Recorder::on_bind(int slot, const Binding& binding, const Observation& now) {
  if (!writer_) return;
  slots_[static_cast<std::size_t>(slot)] = {true, binding};
  table_.bind(slot, binding, now.app[static_cast<std::size_t>(slot)].required);
  Encoder out = begin(1 + kMaxBindingBytes);
  out(static_cast<std::uint8_t>(RecordType::kBind));
  put_binding(out, slot, binding);
  end(out);
  follow_roster();
  put_state(now);
}

void Recorder::on_unbind(int slot) {
  if (!writer_) return;
  Encoder out = begin(2);
  out(static_cast<std::uint8_t>(RecordType::kUnbind));
  out(static_cast<std::uint8_t>(slot));
  end(out);
  slots_[static_cast<std::size_t>(slot)] = {};
  state_.decided.app[static_cast<std::size_t>(slot)] = {};
  table_.unbind(slot);
  follow_roster();
}

void Recorder::on_epoch(const EpochEvent& event) {
  if (!writer_) return;
  if (!started_) put_state(event.before);
  ++epochs_;
  Encoder out = begin(epoch_bytes_);
  for (const JobRecord& job : event.outcome.jobs()) {
    ++jobs_;
    out(static_cast<std::uint8_t>(RecordType::kJob));
    put_job(out, job, state_);
  }
  row_.decision = event.decided;
  row_.applied = event.applied;
  row_.verdict = event.verdict;
  row_.decide_ns = event.decide_ns;
  row_.recorded = event.decided.fresh || event.verdict != Shield::Verdict::kPassed ||
                  !(event.applied == applied_) || epochs_ == 1;
  applied_ = event.applied;
  out(static_cast<std::uint8_t>(RecordType::kEpoch));
  out(absolute_);
  put_decision(out, row_, knobs_, state_);
  put_observation(out, event.outcome);
  end(out);
  if (event.outcome.now_ns - flushed_ns_ >= options_.flush_ns) {
    writer_->submit();
    flushed_ns_ = event.outcome.now_ns;
  }
}

std::string Recorder::finish() {
  if (!writer_) return {};
  writer_->wait_for_disk();  // or the end record of a run that lost nothing may be lost itself
  Encoder out = begin(32);
  out(static_cast<std::uint8_t>(RecordType::kEnd));
  out.number(epochs_);
  out.number(jobs_);
  out.number(writer_->lost_blocks());
  end(out);
  writer_->close();
  const std::uint64_t lost = writer_->lost_blocks();
  const int error = writer_->error();
  writer_.reset();
  if (error != 0)
    return fmt::format(
        "recording {}: {} block(s) could not be written: {}; make room on the disk, what was "
        "written before is readable",
        path_, lost, std::strerror(error));
  if (lost > 0)
    return fmt::format(
        "recording {}: {} block(s) dropped: the disk was too slow; record to a faster one, the "
        "rest is readable",
        path_, lost);
  return {};
}

}  // namespace flyball
