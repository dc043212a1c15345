#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "env/spaces/monitors.h"
#include "governor/loop/control_loop.h"
#include "governor/record/block_writer.h"
#include "governor/record/record_codec.h"
#include "governor/record/recording.h"
#include "governor/record/row_codec.h"

namespace flyball {

/// Writes every epoch and every job of a run to a file (format: recording.h).
///
/// The loop only codes what has changed into a block that was allocated before; a thread of its own
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
    /// Once it is closed in order.
    bool compress = false;
  };

  /// Writes the header at once. Throws Error: kInput when `path` cannot be written, or is there and
  /// neither empty nor a recording; kFailure when writing it failed all the same.
  Recorder(const std::string& path, const RecordingInfo& info, Options options);
  Recorder(const std::string& path, const RecordingInfo& info) : Recorder(path, info, Options()) {}
  ~Recorder() override;

  void on_bind(int slot, const Binding& binding, const Observation& now) override;
  void on_unbind(int slot) override;
  void on_epoch(const EpochEvent& event) noexcept override;

  /// Writes what is left and the end record, and closes the file; the destructor does it too.
  /// Returns what went wrong while writing, as one line for the user; empty when nothing did.
  std::string finish();

 private:
  /// Room for one record of `bytes` at most; a new block begins with the roster.
  Encoder begin(std::size_t bytes);
  void end(const Encoder& written) {
    writer_->give_back(static_cast<std::size_t>(reserved_end_ - written.at));
  }
  void put_roster(Encoder& out) const;
  void put_observation(Encoder& out, const Observation& now);
  void put_state(const Observation& now);
  void follow_roster();

  struct Slot {
    bool bound = false;
    Binding binding;
  };

  const std::string path_;
  const Options options_;
  MonitorTable table_;
  std::vector<Slot> slots_;
  KnobCounts knobs_;
  std::size_t roster_bytes_ = 0, epoch_bytes_ = 0;  ///< at most
  RowCodec rows_;
  bool absolute_ = true;  ///< the next observation
  RecordState state_;
  DecisionRow row_;
  Action applied_;        ///< in the last epoch
  bool started_ = false;  ///< the state before the first epoch is written
  std::uint8_t* reserved_end_ = nullptr;
  std::uint64_t epochs_ = 0, jobs_ = 0;
  std::uint64_t inode_ = 0;  ///< of the file
  std::int64_t flushed_ns_ = 0;
  std::unique_ptr<BlockWriter> writer_;
};

}  // namespace flyball
