#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "env/spaces/monitors.h"
#include "env/spaces/observation.h"
#include "governor/record/record_codec.h"
#include "governor/record/recording.h"
#include "governor/record/row_codec.h"

namespace flyball {

/// Makes of the records of one block after another what a run told its sinks. Rows of the file that
/// this program's monitor table does not have, or has otherwise, are passed over.
class BlockReader {
 public:
  /// The references outlive the reader; `report` has the header's contents.
  BlockReader(const RecordingVisitor& visitor, RecordingReport& report);

  /// The records of a whole block. False when they do not add up, which a right checksum rules out
  /// unless another program wrote them.
  bool read(const std::uint8_t* at, const std::uint8_t* stop);
  const std::optional<EndRow>& end() const { return end_; }

 private:
  bool read_record(RecordType type, Decoder& in);
  bool read_roster(Decoder& in);
  bool read_observation(Decoder& in, bool absolute);
  void bind(int slot, Binding binding);
  void unbind(int slot);
  void tell_binds();
  void follow_roster();

  struct Slot {
    bool bound = false;
    bool told = false;  ///< to the visitor, with an observation
    Binding binding;
  };

  const RecordingVisitor& visitor_;
  RecordingReport& report_;
  std::vector<Slot> slots_;
  std::vector<int> order_;  ///< the bound slots, ascending
  std::vector<Monitor> local_platform_, local_app_;
  KnobCounts knobs_;
  RowCodec rows_;
  bool readable_ = false;  ///< an absolute observation came before
  RecordState state_;
  DecisionRow decision_;
  std::vector<JobRecord> jobs_;  ///< of the epoch to come
  std::unique_ptr<Observation> now_;
  std::optional<EndRow> end_;
};

}  // namespace flyball
