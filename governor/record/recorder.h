#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "env/scenario/scenario.h"
#include "governor/loop/control_loop.h"
#include "governor/record/block_writer.h"
#include "governor/record/recording.h"

namespace flyball {

/// The header's contents for a run.
RecordingInfo recording_info(const PlatformSpec& platform, const Scenario& scenario,
                             const Spaces& spaces, const std::string& policy, std::uint64_t seed);

/// Writes every epoch and every job of a run to a file (format: recording.h).
///
/// The loop only copies fields into a block that was allocated before; a thread of its own
/// checksums and writes full blocks, so that a slow disk never delays a decision. A block goes out
/// when it is full (64 KB) or covers `flush_ns` of the run: that much, and what the thread has yet
/// to write, is lost to SIGKILL.
class Recorder final : public EpochSink {
 public:
  struct Options {
    std::int64_t flush_ns = 500'000'000;
    /// When the disk cannot follow: true waits for it (simulation, where nothing is urgent), false
    /// drops a block and counts it (a live run).
    bool wait_for_disk = false;
  };

  /// Writes the header at once. Throws Error: kInput when `path` cannot be written, or is there and
  /// neither empty nor a recording; kFailure when writing it failed all the same.
  Recorder(const std::string& path, const RecordingInfo& info, Options options);
  Recorder(const std::string& path, const RecordingInfo& info) : Recorder(path, info, Options()) {}
  ~Recorder() override;

  void on_epoch(const EpochEvent& event) override;

  /// Writes what is left and the end record, and closes the file; the destructor does it too.
  /// Returns what went wrong while writing, as one line for the user; empty when nothing did.
  std::string finish();

 private:
  const std::string path_;
  const Options options_;
  const int clusters_, apps_;
  std::uint64_t epochs_ = 0, jobs_ = 0;
  std::int64_t flushed_ns_ = 0;
  std::unique_ptr<BlockWriter> writer_;
};

}  // namespace flyball
