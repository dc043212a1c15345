#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "env/spaces/monitors.h"
#include "env/spaces/observation.h"
#include "governor/record/bit_stream.h"

namespace flyball {

/// Rows of the monitor table that make up an observation: what is stored there of each, and of
/// nothing else. Derived ones are made again when read.
std::vector<Monitor> stored_rows(const std::vector<Monitor>& rows);

/// Codes observations, each against the one before it, at the resolution of the table. Of a row is
/// written by how much it differs from what was expected: the value before, or for the platform's
/// clocks and counts, which go on evenly, the value before and its last step.
///
///   per 8 rows: 1 bit, whether any of them differs from what was expected; then 1 bit, whether it
///   is the same of them as when last one of these 8 did; 8 bits otherwise; then the difference of
///   each as a Rice code
///
/// Writer and reader keep the same state. reset() forgets it: the next observation is absolute.
class RowCodec {
 public:
  /// Allocates; the state is forgotten. Rows without a place in an observation (`known` false) can
  /// only be read, and are skipped.
  void set_rows(std::vector<Monitor> rows, std::vector<bool> known = {});
  void reset();
  bool empty() const { return rows_.empty(); }

  /// Appends an observation. Does not allocate.
  void encode(const Observation& now, BitWriter& out);
  /// Changes in `now` what has changed.
  void decode(BitReader& in, Observation& now);
  std::size_t max_bytes() const { return rows_.size() * (RiceRow::kMaxBits + 2) / 8 + 8 + 16; }

 private:
  static constexpr std::size_t kGroup = 8;
  struct Row {
    std::uint64_t raw = 0;     ///< as it stood in the observation
    std::uint64_t mask = 0;    ///< of its bytes there
    std::uint32_t offset = 0;  ///< from the beginning of the observation
    bool trend = false;        ///< goes on evenly
    bool exact = false;        ///< bits of a double, not a number of steps
    std::int64_t value = 0, step = 0;
    RiceRow rice;
  };
  std::int64_t expected(const Row& row) const;
  std::uint64_t difference(const Row& row, std::int64_t value) const;
  std::int64_t value_of(const Row& row, std::uint64_t difference) const;

  std::vector<Monitor> monitors_;
  std::vector<bool> known_;
  std::vector<Row> rows_;
  std::vector<std::uint8_t> last_mask_;  ///< per group
  bool fresh_ = true;                    ///< the next is absolute
};

}  // namespace flyball
