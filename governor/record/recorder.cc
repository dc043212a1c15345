#include "governor/record/recorder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "governor/record/frame.h"
#include "governor/record/recording_header.h"
#include "kernels/base/error.h"
#include "kernels/base/file_descriptor.h"
#include "kernels/base/output_file.h"
#include "kernels/base/thread_error.h"
#include "kernels/base/whole_file.h"

namespace flyball {
namespace {

[[noreturn]] void cannot(const std::string& path, const char* what, const std::string& reason) {
  failure(fmt::format("recording {}", path), fmt::format("{}: {}", what, reason),
          "choose a path that can be written, on a disk with room");
}

/// Whether somebody is writing it: who writes a recording holds its lock until it is closed.
bool is_being_written(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  return file && flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

/// A new recording with its header, which takes the place of an older one in one step.
FileDescriptor open_for_recording(const std::string& path, const std::string& header) {
  check_output(fmt::format("recording {}", path), path, kRecordingOutput);
  if (is_being_written(path))
    input_error(fmt::format("recording {}", path), "another flyball is recording into it",
                "choose another file, or wait until that one has ended");
  FileReplacement file;
  FileStatus status = file.begin(path);
  if (status) status = file.write(header);
  // It stays open for the run: that it may be lost to a power cut with what follows is no news.
  if (status) status = file.put_in_place(/*durable=*/false);
  if (!status) cannot(path, "cannot be written", status.why);
  return file.take();
}

// The largest record, with a roster before it, fits into what a block has beyond being full.
constexpr std::size_t kMaxRows = 32 + kMaxClusters * 32 + kMaxApps * 128;
static_assert(kMaxApps * kMaxBindingBytes + kMaxRows * (RiceRow::kMaxBits + 2) / 8 +
                  kMaxDecisionBytes + kMaxEpochJobs * (1 + kMaxJobBytes) + 64 <
              kBlockPayloadBytes - kBlockFullBytes);

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
  struct stat status;
  if (fstat(file.get(), &status) == 0) inode_ = status.st_ino;
  try {
    writer_ = std::make_unique<BlockWriter>(std::move(file), header.size(), options.wait_for_disk);
  } catch (const std::system_error& error) {
    no_thread(fmt::format("recording {}", path), error);
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
  // First: the roster of a block that begins here is that of before.
  Encoder out = begin(1 + kMaxBindingBytes);
  slots_[static_cast<std::size_t>(slot)] = {true, binding};
  table_.bind(slot, binding, now.app[static_cast<std::size_t>(slot)].required);
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

void Recorder::on_epoch(const EpochEvent& event) noexcept {
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
  // What stands is readable: that it could not be made smaller, for lack of room, is no failure.
  if (options_.compress && error == 0) (void)compress_recording(path_, inode_);
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
