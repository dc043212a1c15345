#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "env/spaces/action.h"
#include "env/spaces/job.h"
#include "env/spaces/spaces.h"

namespace flyball {

// A recording: everything that happened in a run, in a file that stays readable however the run
// ends.
//
//   header   magic "FLYREC\0\1" | u32 format version | u32 length n | n bytes of JSON | u32 CRC-32C
//   of all before block*   magic "FLYBLOCK" | u32 number, from 0 | u32 length n | n bytes of
//   records | u32 CRC-32C of all of it record   u8 type (1 epoch, 2 job, 3 end), then fields of
//   fixed size, see record_codec.h
//
// All integers and IEEE floats little-endian. A block holds whole records only. A file that was cut
// off ends in a torn block, which is skipped; a damaged block fails its checksum and reading goes
// on at the next one. The last block of a run that ended in order holds the end record.

/// What the JSON of the header says.
struct RecordingInfo {
  std::string platform;
  std::string scenario;
  std::string policy;
  std::uint64_t seed = 0;
  std::vector<std::string> clusters;
  std::vector<std::string> apps;
  std::vector<KnobSpec> knobs;  ///< with their values
  std::vector<MonitorSpec> monitors;
};

/// One epoch as recorded.
struct EpochRow {
  std::uint64_t sequence = 0;
  std::int64_t now_ns = 0;  ///< its end, from the start of the run
  std::int64_t epoch_ns = 0;
  std::int64_t decide_ns = 0;
  double energy_mj = 0;
  double power_mw = 0;
  double battery_pct = 0;
  double energy_preference = 0;
  double reward = 0;
  double cost_energy = 0, cost_misses = 0, cost_accuracy = 0, cost_budget = 0, cost_heat = 0;
  double value = 0;          ///< what the agent expected
  std::uint8_t verdict = 0;  ///< Shield::Verdict
  bool explored = false;
  bool sensors_ok = true;
  Action decided;
  Action applied;
  struct Cluster {
    std::int64_t freq_khz = 0;
    double util_max = 0, util_mean = 0, power_mw = 0, temp_c = 0;
    std::uint8_t opp_cap = 0;
  };
  struct App {
    bool active = false;
    AppSetting setting;
    std::uint32_t released = 0, finished = 0, missed = 0, backlog = 0;
    std::int64_t deadline_ns = 0;
    double accuracy_floor_pct = 0;
    std::int64_t last_latency_ns = 0;
  };
  std::array<Cluster, kMaxClusters> cluster{};
  std::array<App, kMaxApps> app{};
  std::uint32_t jobs_unlisted = 0;
  char why[96] = "";
};

/// How a recording was read.
struct RecordingReport {
  RecordingInfo info;
  std::uint64_t epochs = 0, jobs = 0, blocks = 0;
  std::uint64_t damaged_blocks = 0;  ///< checksum wrong, skipped
  std::uint64_t missing_blocks =
      0;  ///< by their numbers: damaged ones, and those that could not be written
  std::uint64_t torn_bytes = 0;  ///< of a last block that was cut off, skipped
  bool ended = false;            ///< the end record is there: the run closed it
  bool complete = false;         ///< that, and no block is missing
  /// Empty when it is complete, or what happened to it, for people.
  std::string problem() const;
};

struct RecordingVisitor {
  std::function<void(const RecordingInfo&)> on_info;
  std::function<void(const EpochRow&)> on_epoch;
  std::function<void(const JobRecord&)> on_job;
};

/// Reads everything that is intact. Throws Error (kInput) when there is no such file, it is no
/// recording, or its header is cut off or damaged.
RecordingReport read_recording(const std::string& path, const RecordingVisitor& visitor);

/// The two CSV files of a folder: of the epochs and of the jobs.
std::array<std::string, 2> csv_files(const std::string& folder);
/// Throws Error (kInput) unless export_csv can write them, which is tried: the folder is made when
/// absent, and files that are there must be empty or made by export_csv.
void check_csv_folder(const std::string& folder);
/// Writes them, both or, but for a failure of the very last step, neither. Throws Error.
RecordingReport export_csv(const std::string& recording, const std::string& folder);

/// A name, for CSV and display.
const char* verdict_name(std::uint8_t verdict);

}  // namespace flyball
