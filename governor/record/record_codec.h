#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "env/spaces/binding.h"
#include "env/spaces/job.h"
#include "governor/record/bit_stream.h"
#include "governor/record/recording.h"

namespace flyball {

template <class T>
using Bits = std::conditional_t<
    sizeof(T) == 8, std::uint64_t,
    std::conditional_t<sizeof(T) == 4, std::uint32_t,
                       std::conditional_t<sizeof(T) == 2, std::uint16_t, std::uint8_t>>>;

/// Writes little-endian numbers of fixed size, and whole numbers in as many bytes as they need
/// (LEB128), to bytes that have room for them.
struct Encoder {
  std::uint8_t* at;
  template <class T>
  void operator()(const T& value) {
    static_assert(std::is_arithmetic_v<T>);
    const auto bits = std::bit_cast<Bits<T>>(value);
    for (std::size_t i = 0; i < sizeof(T); ++i)
      *at++ = static_cast<std::uint8_t>(static_cast<std::uint64_t>(bits) >> (8 * i));
  }
  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) *at++ = static_cast<std::uint8_t>(value | 0x80);
    *at++ = static_cast<std::uint8_t>(value);
  }
  void difference(std::int64_t value) { number(zigzag(value)); }
  /// Of a longer text the beginning.
  void text(const std::string& value, std::size_t most = 255) {
    const std::size_t bytes = std::min(value.size(), most);
    *at++ = static_cast<std::uint8_t>(bytes);
    std::memcpy(at, value.data(), bytes);
    at += bytes;
  }
};

/// Reads them back. Past the end it reads zeros, and says so.
struct Decoder {
  const std::uint8_t* at;
  const std::uint8_t* stop;
  bool overrun = false;

  std::uint8_t byte() {
    if (at < stop) return *at++;
    overrun = true;
    return 0;
  }
  template <class T>
  void operator()(T& value) {
    static_assert(std::is_arithmetic_v<T>);
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) bits |= std::uint64_t{byte()} << (8 * i);
    if constexpr (std::is_same_v<T, bool>)
      value = bits != 0;
    else
      value = std::bit_cast<T>(static_cast<Bits<T>>(bits));
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t next = byte();
      value |= std::uint64_t{next & 0x7fu} << shift;
      if (next < 0x80) break;
    }
    return value;
  }
  std::int64_t difference() { return unzigzag(number()); }
  std::string text() {
    std::string value(byte(), '\0');
    for (char& c : value) c = static_cast<char>(byte());
    return value;
  }
};

enum class RecordType : std::uint8_t {
  kRoster = 1,  ///< first of every block: who is in which slot
  kBind,
  kUnbind,
  kState,  ///< an observation that no epoch led to: of the start, and of a bind
  kEpoch,
  kJob,  ///< ended in the epoch that follows
  kEnd,
};

inline constexpr std::size_t kMaxKnobTextBytes = 32;  // a knob's name, unit and values
inline constexpr std::size_t kMaxBindingBytes =
    1 + 2 * 256 + 5 + 1 + 1 + kMaxQualityKnobs * (2 * (1 + kMaxKnobTextBytes) + 1 + 2) +
    kMaxKnobValues * (1 + kMaxKnobTextBytes) + 2 + kMaxLevels * (kMaxQualityKnobs + 8);
void put_binding(Encoder& out, int slot, const Binding& binding);
/// The slot; -1 when it is not one.
int get_binding(Decoder& in, Binding& binding);

/// What jobs and decisions of a block are coded against. Writer and reader keep the same.
struct RecordState {
  Action decided;
  std::array<float, kMaxApps> accuracy_pct{}, accuracy_floor_pct{};
  std::array<Forecast, kMaxApps> forecast{};  ///< as last written of each
  std::array<bool, kMaxApps> foretold{};
  std::int64_t finish_ns = 0;
};

inline constexpr std::size_t kMaxJobBytes = 5 + 5 * 10 + 4 * 4;
void put_job(Encoder& out, const JobRecord& job, RecordState& state);
void get_job(Decoder& in, JobRecord& job, RecordState& state);

/// Clusters and slots whose knobs are written.
struct KnobCounts {
  int clusters = 0, slots = 0;
};
inline constexpr std::size_t kMaxDecisionBytes =
    64 + 2 * (3 + 2 * (kMaxClusters + 2 * kMaxApps)) + kMaxForecasts * 32;
/// A decision with what was made of it; when it is not `recorded`, the settings only where they
/// have changed.
void put_decision(Encoder& out, const DecisionRow& row, const KnobCounts& counts,
                  RecordState& state);
void get_decision(Decoder& in, DecisionRow& row, const KnobCounts& counts, RecordState& state);

/// The last record: what the run had, for comparison with what was read.
struct EndRow {
  std::uint64_t epochs = 0, jobs = 0, lost_blocks = 0;
};

}  // namespace flyball
