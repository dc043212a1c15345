#include "governor/record/recorder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>

#include "kernels/base/error.h"
#include "governor/record/record_codec.h"
#include "governor/record/recording_header.h"
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

EpochRow row_of(const EpochEvent& event) {
  const Observation& now = event.outcome;
  EpochRow row;
  row.sequence = now.sequence;
  row.now_ns = now.now_ns;
  row.epoch_ns = now.epoch_ns;
  row.decide_ns = event.decide_ns;
  row.energy_mj = now.energy_mj;
  row.power_mw = now.power_mw;
  row.battery_pct = now.battery_pct;
  row.energy_preference = now.energy_preference;
  row.reward = event.reward.total();
  row.cost_energy = event.reward.energy;
  row.cost_misses = event.reward.misses;
  row.cost_accuracy = event.reward.accuracy;
  row.cost_budget = event.reward.budget;
  row.cost_heat = event.reward.heat;
  row.value = event.why.value;
  row.verdict = static_cast<std::uint8_t>(event.verdict);
  row.explored = event.why.explored;
  row.sensors_ok = now.sensors_ok;
  row.jobs_unlisted = now.jobs_unlisted;
  row.decided = event.decided;
  row.applied = event.applied;
  for (int c = 0; c < now.cluster_count; ++c) {
    const ClusterObservation& from = now.cluster[c];
    row.cluster[c] = {from.freq_khz, from.util_max, from.util_mean,
                      from.power_mw, from.temp_c,   from.opp_cap};
  }
  for (int a = 0; a < now.app_count; ++a) {
    const AppObservation& from = now.app[a];
    row.app[a] = {from.active,
                  from.setting,
                  from.released,
                  from.finished,
                  from.missed,
                  from.backlog,
                  from.required.deadline_ns,
                  from.required.accuracy_floor_pct,
                  from.last_latency_ns};
  }
  static_assert(sizeof row.why == sizeof event.why.text);
  std::memcpy(row.why, event.why.text, sizeof row.why);
  return row;
}

}  // namespace

RecordingInfo recording_info(const PlatformSpec& platform, const Scenario& scenario,
                             const Spaces& spaces, const std::string& policy, std::uint64_t seed) {
  RecordingInfo info{platform.name, scenario.name,  policy, seed, {}, {},
                     spaces.knobs,  spaces.monitors};
  for (const ClusterSpec& cluster : platform.clusters) info.clusters.push_back(cluster.name);
  for (const AppSpec& app : scenario.apps) info.apps.push_back(app.name);
  return info;
}

Recorder::Recorder(const std::string& path, const RecordingInfo& info, Options options)
    : path_(path),
      options_(options),
      clusters_(static_cast<int>(info.clusters.size())),
      apps_(static_cast<int>(info.apps.size())) {
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

void Recorder::on_epoch(const EpochEvent& event) {
  ++epochs_;
  if (std::uint8_t* room = writer_->reserve(epoch_bytes(clusters_, apps_))) {
    Encoder out{room};
    out(static_cast<std::uint8_t>(RecordType::kEpoch));
    const EpochRow row = row_of(event);
    epoch_fields(out, row, clusters_, apps_);
  }
  for (const JobRecord& job : event.outcome.jobs()) {
    ++jobs_;
    if (std::uint8_t* room = writer_->reserve(job_bytes())) {
      Encoder out{room};
      out(static_cast<std::uint8_t>(RecordType::kJob));
      job_fields(out, job);
    }
  }
  if (event.outcome.now_ns - flushed_ns_ >= options_.flush_ns) {
    writer_->submit();
    flushed_ns_ = event.outcome.now_ns;
  }
}

std::string Recorder::finish() {
  if (!writer_) return {};
  writer_->wait_for_disk();  // or the end record of a run that lost nothing may be lost itself
  const EndRow end{epochs_, jobs_, writer_->lost_blocks()};
  Measure size;
  end_fields(size, end);
  if (std::uint8_t* room = writer_->reserve(1 + size.bytes)) {
    Encoder out{room};
    out(static_cast<std::uint8_t>(RecordType::kEnd));
    end_fields(out, end);
  }
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
