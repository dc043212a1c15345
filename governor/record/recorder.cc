#include "governor/record/recorder.h"

#include <fmt/format.h>

#include <cstring>
#include <system_error>

#include "governor/record/record_codec.h"
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

/// A new recording with its header, which takes the place of an older one in one step.
FileDescriptor open_for_recording(const std::string& path, const std::string& header) {
  check_output(fmt::format("recording {}", path), path, kRecordingOutput);
  FileReplacement file;
  FileStatus status = file.begin(path);
  if (status) status = file.write(header);
  // It stays open for the run: that it may be lost to a power cut with what follows is no news.
  if (status) status = file.put_in_place(/*durable=*/false);
  if (!status) cannot(path, "cannot be written", status.why);
  return file.take();
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
    no_thread(fmt::format("recording {}", path), error);
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
