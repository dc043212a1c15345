#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "governor/record/recording.h"

namespace flyball {

// The fields of a record are listed once, in `fields`; what is done with them (write, read,
// measure) is the first argument. Their order and types are the file format.

template <class T>
using Bits = std::conditional_t<
    sizeof(T) == 8, std::uint64_t,
    std::conditional_t<sizeof(T) == 4, std::uint32_t,
                       std::conditional_t<sizeof(T) == 2, std::uint16_t, std::uint8_t>>>;

struct Encoder {
  std::uint8_t* at;
  template <class T>
  void operator()(const T& value) {
    static_assert(std::is_arithmetic_v<T>);
    const auto bits = std::bit_cast<Bits<T>>(value);
    for (std::size_t i = 0; i < sizeof(T); ++i)
      *at++ = static_cast<std::uint8_t>(static_cast<std::uint64_t>(bits) >> (8 * i));
  }
  void text(const char* value, std::size_t bytes) {
    std::memcpy(at, value, bytes);
    at += bytes;
  }
};

struct Decoder {
  const std::uint8_t* at;
  template <class T>
  void operator()(T& value) {
    static_assert(std::is_arithmetic_v<T>);
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) bits |= std::uint64_t{*at++} << (8 * i);
    if constexpr (std::is_same_v<T, bool>)
      value = bits != 0;
    else
      value = std::bit_cast<T>(static_cast<Bits<T>>(bits));
  }
  void text(char* value, std::size_t bytes) {
    std::memcpy(value, at, bytes);
    value[bytes - 1] = 0;
    at += bytes;
  }
};

struct Measure {
  std::size_t bytes = 0;
  template <class T>
  void operator()(const T&) {
    bytes += sizeof(T);
  }
  void text(const char*, std::size_t n) { bytes += n; }
};

enum class RecordType : std::uint8_t { kEpoch = 1, kJob = 2, kEnd = 3 };

/// A mutable or a const row, and the counts of clusters and applications that the header gives.
template <class Io, class Row>
void epoch_fields(Io& io, Row& row, int clusters, int apps) {
  io(row.sequence), io(row.now_ns), io(row.epoch_ns), io(row.decide_ns);
  io(row.energy_mj), io(row.power_mw), io(row.battery_pct), io(row.energy_preference);
  io(row.reward), io(row.cost_energy), io(row.cost_misses), io(row.cost_accuracy);
  io(row.cost_budget), io(row.cost_heat), io(row.value);
  io(row.verdict), io(row.explored), io(row.sensors_ok), io(row.jobs_unlisted);
  for (int c = 0; c < clusters; ++c) {
    auto& cluster = row.cluster[c];
    io(row.decided.opp[c]), io(row.applied.opp[c]), io(cluster.opp_cap), io(cluster.freq_khz);
    io(cluster.util_max), io(cluster.util_mean), io(cluster.power_mw), io(cluster.temp_c);
  }
  for (int a = 0; a < apps; ++a) {
    auto& app = row.app[a];
    io(row.decided.app[a].mapping), io(row.decided.app[a].level);
    io(row.applied.app[a].mapping), io(row.applied.app[a].level);
    io(app.active), io(app.setting.mapping), io(app.setting.level);
    io(app.released), io(app.finished), io(app.missed), io(app.backlog);
    io(app.deadline_ns), io(app.accuracy_floor_pct), io(app.last_latency_ns);
  }
  io.text(row.why, sizeof row.why);
}

template <class Io, class Job>
void job_fields(Io& io, Job& job) {
  io(job.sequence), io(job.release_ns), io(job.start_ns), io(job.finish_ns), io(job.deadline_ns);
  io(job.energy_mj), io(job.cycles), io(job.accuracy_pct), io(job.accuracy_floor_pct);
  io(job.app), io(job.setting.mapping), io(job.setting.level);
  io(job.missed), io(job.dropped), io(job.infeasible);
}

/// The last record: what the run had, for comparison with what was read.
struct EndRow {
  std::uint64_t epochs = 0, jobs = 0, lost_blocks = 0;
};
template <class Io, class End>
void end_fields(Io& io, End& end) {
  io(end.epochs), io(end.jobs), io(end.lost_blocks);
}

inline std::size_t epoch_bytes(int clusters, int apps) {
  Measure measure;
  const EpochRow row;
  epoch_fields(measure, row, clusters, apps);
  return 1 + measure.bytes;
}
inline std::size_t job_bytes() {
  Measure measure;
  const JobRecord job;
  job_fields(measure, job);
  return 1 + measure.bytes;
}

}  // namespace flyball
