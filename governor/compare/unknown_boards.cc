#include "governor/compare/unknown_boards.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/base/det_math.h"
#include "kernels/base/hash.h"
#include "kernels/base/random.h"

namespace flyball {
namespace {

constexpr double kTime[] = {0.6, 1.4}, kPower[] = {0.5, 4}, kMemoryShare[] = {0, 0.4};
constexpr double kFourCores[] = {1.7, 3.3}, kThermal[] = {0.5, 2};
constexpr double kOverstated = 3;
constexpr double kNoise = 0.1;
constexpr std::int64_t kDelayNs = 50'000'000;
constexpr double kStuckFromS[] = {5, 60};

double between(Random& random, const double (&range)[2]) {
  return random.uniform(range[0], range[1]);
}
/// Of factors: as often above 1 as their range is.
double factor(Random& random, const double (&range)[2]) {
  return det_exp(random.uniform(det_log(range[0]), det_log(range[1])));
}

void scale_dynamic(PlatformSpec& spec, int c, double by) {
  spec.clusters[c].uncore_nf *= by;
  spec.clusters[c].idle_core_nf *= by;
  for (AppProfile& app : spec.apps) app.unit[c].core_nf *= by;
}

void scale_leakage(PlatformSpec& spec, int c, double by) {
  spec.clusters[c].leak_a *= by;
  spec.clusters[c].leak_c_a *= by;
  for (AppProfile& app : spec.apps) app.unit[c].static_ma *= by;
}

void scale_time(PlatformSpec& spec, int c, double by, double memory_share) {
  const auto top_khz = static_cast<double>(spec.clusters[c].opps.back().freq_khz);
  for (AppProfile& app : spec.apps) {
    UnitProfile& unit = app.unit[c];
    if (app.plain_load || !unit.supported) continue;
    const double ms = by * (unit.mcycles * 1e6 / top_khz + unit.memory_ms);
    unit.memory_ms = memory_share * ms;
    unit.mcycles = (1 - memory_share) * ms * top_khz * 1e-6;
  }
}

/// Of four cores against one: 1 / (1 - p + p / 4).
void scale_parallel(PlatformSpec& spec, double four_cores) {
  for (AppProfile& app : spec.apps) {
    if (app.plain_load) continue;
    app.parallel_fraction = (1 - 1 / four_cores) / 0.75;
    for (LevelProfile& level : app.levels) level.parallel_fraction.clear();
  }
}

/// The slowest of several kinds of CPU cores; -1 where there is one kind.
int little_cluster(const PlatformSpec& spec) {
  int little = -1, kinds = 0;
  const auto peak = [&](int c) {
    return spec.clusters[c].capacity_per_mhz *
           static_cast<double>(spec.clusters[c].opps.back().freq_khz);
  };
  for (int c = 0; c < static_cast<int>(spec.clusters.size()); ++c) {
    if (spec.clusters[c].kind != ClusterSpec::Kind::kCpu) continue;
    ++kinds;
    if (little < 0 || peak(c) < peak(little)) little = c;
  }
  return kinds > 1 ? little : -1;
}

const char* draw_sensors(Random& random, int index, SensorFaults& sensors) {
  switch (index % 8) {
    case 1:
      sensors.noise = kNoise;
      return "noise";
    case 3:
      sensors.delay_ns = kDelayNs;
      return "delay";
    case 5:
      sensors.stuck_from_ns = static_cast<std::int64_t>(between(random, kStuckFromS) * 1e9);
      return "stuck";
    case 7:
      sensors.present = false;
      return "blind";
    default:
      return "good";
  }
}

}  // namespace

UnknownBoard draw_board(const PlatformSpec& known, int index, std::uint64_t seed) {
  UnknownBoard board{{}, "as described", known, Belief::of(known), {}};
  Fnv1a stream;  // boards of two descriptions have nothing in common
  stream.add(known.name);
  stream.add(index);
  Random random(seed, stream.value());
  const char* sensors = draw_sensors(random, index, board.sensors);
  board.name = fmt::format("{}-{:02}-{}", known.name, index, sensors);
  if (index == 0) return board;
  PlatformSpec& truth = board.truth;
  board.drawn.clear();
  double hungrier = 1;
  for (int c = 0; c < static_cast<int>(truth.clusters.size()); ++c) {
    const double time = between(random, kTime), memory = between(random, kMemoryShare);
    const double dynamic = factor(random, kPower), leakage = factor(random, kPower);
    const bool half = random.below(3) == 0;
    scale_time(truth, c, time, memory);
    scale_dynamic(truth, c, dynamic);
    scale_leakage(truth, c, leakage);
    if (half) truth.clusters[c].opps.front().delivered_share *= 0.5;
    hungrier = std::max(hungrier, dynamic);
    board.drawn +=
        fmt::format("{} time x{:.2f}, memory {:.0f} %, dynamic x{:.2f}, leakage x{:.2f}{}; ",
                    truth.clusters[c].name, time, 100 * memory, dynamic, leakage,
                    half ? ", lowest clock halved" : "");
  }
  const double four = between(random, kFourCores);
  scale_parallel(truth, four);
  const double thermal = factor(random, kThermal);
  // Who builds a board for four times the power cools it for that.
  for (ThermalNode& node : truth.thermal) {
    for (ThermalTerm& term : node.terms) term.r_k_per_w *= thermal / hungrier;
  }
  const int little = little_cluster(truth);
  const bool overstated = random.below(3) == 0 && little >= 0;
  if (overstated) {
    scale_dynamic(board.belief.mean, little, kOverstated);
    scale_leakage(board.belief.mean, little, kOverstated);
  }
  board.drawn += fmt::format("four cores x{:.2f}, thermal x{:.2f}{}", four, thermal,
                             overstated ? ", small cores believed x3" : "");
  return board;
}

Scenario stretched(const Scenario& scenario, int jobs) {
  Scenario all = scenario;
  const AppSpec& first = scenario.apps.front();
  const auto period_ns = std::max<std::int64_t>(1, first.arrival.period_ns);
  const std::int64_t rounds = std::max<std::int64_t>(
      1, (jobs * period_ns / std::max(1, first.arrival.burst_jobs) + scenario.duration_ns) /
             scenario.duration_ns);
  all.duration_ns = rounds * scenario.duration_ns;
  for (AppSpec& app : all.apps) {
    if (app.stop_ns >= scenario.duration_ns) app.stop_ns = all.duration_ns;
  }
  for (std::int64_t round = 1; round < rounds; ++round) {
    for (BackgroundLoad load : scenario.background) {
      load.start_ns += round * scenario.duration_ns;
      load.stop_ns += round * scenario.duration_ns;
      all.background.push_back(load);
    }
  }
  return all;
}

}  // namespace flyball
