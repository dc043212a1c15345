#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "env/model/belief.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "env/spaces/binding.h"
#include "env/spaces/decision.h"
#include "env/spaces/job.h"
#include "env/spaces/monitors.h"
#include "env/spaces/observation.h"
#include "env/spaces/reward.h"
#include "governor/loop/shield.h"

namespace flyball {

// A recording: everything that happened in a run, in a file that stays readable however the run
// ends, and from which everything that an agent was told can be told again.
//
//   header   magic "FLYREC\0\1" | u32 format version | u32 length n | n bytes of JSON
//            | u32 CRC-32C of all before
//   block*   magic "FLYBLOCK" | u32 number, from 0 | u32 length n | n bytes of records
//            | u32 CRC-32C of all of it
//   record   u8 type, then
//            roster   u8 count, binding*; first of every block
//            bind     u8 slot, name, profile, threads, knobs of its own, levels
//            unbind   u8 slot
//            state    u8 absolute, observation: of the start, or of a bind
//            job      who, when, what it took; before the epoch in which it ended
//            epoch    u8 absolute, decision, observation at its end
//            end      how many epochs, jobs and lost blocks there were
//
// A file that was closed in order is compressed: its version is one higher, and instead of blocks it has
// frames of them (frame.h).
//
// Integers and IEEE floats are little-endian. An observation is what the monitor table stores of it
// (row_codec.h): every row at its resolution, by how it differs from the one before. The first of a
// block and the first after the roster changes are absolute, so that every block can be read alone.
// The values that the table derives and the rewards are not in the file: who reads makes them again.
// A decision is in it when it is new, or the shield changed something. What it expects of a job that was
// told before is told again when time or energy have moved by a quarter of their deviation, that by half,
// or the chance of a miss by 5 %; who reads is told what was last written.
//
// A block holds whole records only. A file that was cut off ends in a torn block, which is skipped;
// a damaged block fails its checksum and reading goes on at the next one. The last block of a run
// that ended in order holds the end record.

/// Of the contents of what a run was made from; 0: there was none, or nobody knew.
struct ContentHashes {
  std::uint64_t platform = 0, belief = 0, scenario = 0, profile = 0, policy = 0;
};

/// What of the scenario no epoch shows, and who plays its workload again has to know.
struct RecordedWorkload {
  /// Of each application: a job released beyond this backlog is dropped. Empty in records of before.
  std::vector<std::pair<std::string, int>> queue_limits;
  double battery_mj = 0;  ///< capacity; 0: mains, or a record of before
  double battery_pct = 0;
  std::int64_t battery_until_ns = 0;
};

/// The scenario's name where whatever ran on a machine was recorded, and no scenario was played.
inline constexpr const char* kRecordedPlainLoad = "plain_load";

/// What the JSON of the header says.
struct RecordingInfo {
  PlatformSpec platform;  ///< its names only: clusters, operating points, mappings
  std::string scenario;
  std::string policy;
  std::uint64_t seed = 0;
  RewardWeights weights;
  ContentHashes hashes;
  RecordedWorkload workload;
  std::vector<std::string> measured;  ///< monitors that come from sensors, as MonitorTable has it
  /// The rows of platform and clusters, and those of any application, without its name.
  std::vector<Monitor> monitors, app_monitors;
};

/// The header's contents for a run; the hashes of profile and policy are the caller's to fill in.
RecordingInfo recording_info(const PlatformSpec& platform, const Belief& belief,
                             const Scenario& scenario, const std::string& policy,
                             std::uint64_t seed, const RewardWeights& weights,
                             const std::vector<std::string>& measured = {});

/// What was decided for an epoch, and what was made of it.
struct DecisionRow {
  bool recorded = false;  ///< it was new; otherwise only the actions and the verdict are known
  Decision decision;
  Action applied;  ///< after the shield
  Shield::Verdict verdict = Shield::Verdict::kPassed;
  std::int64_t decide_ns = 0;

  /// Of what was applied; NaN when it is not known or was not recorded.
  float executed_probability() const;
};

/// How a recording was read.
struct RecordingReport {
  RecordingInfo info;
  std::uint64_t epochs = 0, jobs = 0, blocks = 0;
  /// Jobs that ended beyond the kMaxEpochJobs that an epoch lists: counted, and not described.
  std::uint64_t jobs_unlisted = 0;
  std::uint64_t decisions = 0;  ///< epochs with a new one
  /// What the bytes of the records are of: such epochs, the others, jobs; the rest is the roster.
  std::uint64_t decision_bytes = 0, other_bytes = 0, job_bytes = 0, roster_bytes = 0;
  std::uint64_t damaged_blocks = 0;  ///< checksum wrong, skipped
  /// By their numbers: damaged ones, and those that could not be written.
  std::uint64_t missing_blocks = 0;
  std::uint64_t torn_bytes = 0;  ///< of a last block that was cut off, skipped
  bool ended = false;            ///< the end record is there: the run closed it
  bool complete = false;         ///< that, and no block is missing
  /// Bytes that one takes before compression; NaN where there is none.
  double bytes_per_decision() const;
  double bytes_per_other_epoch() const;
  double bytes_per_job() const;
  /// Empty when it is complete, or what happened to it, for people.
  std::string problem() const;
  /// "" or that jobs are not listed, for people.
  std::string unlisted() const;
};

/// What reading calls, in the order in which the run did. All references are valid during the call
/// only.
struct RecordingVisitor {
  std::function<void(const RecordingInfo&)> on_info;
  /// Before the first epoch.
  std::function<void(const Observation&)> on_start;
  std::function<void(int slot, const Binding&, const Observation& now)> on_bind;
  std::function<void(int slot)> on_unbind;
  /// The observation at the end of the epoch, its finished jobs included.
  std::function<void(const Observation&, const DecisionRow&)> on_epoch;
  std::function<void(const JobRecord&)> on_job;
};

/// Reads everything that is intact, block by block. Throws Error (kInput) when there is no such
/// file, it is no recording, is of another version, or its header is cut off or damaged.
RecordingReport read_recording(const std::string& path, const RecordingVisitor& visitor);

/// A name, for CSV and display.
const char* verdict_name(Shield::Verdict verdict);

}  // namespace flyball
