#include "governor/cli/verbs/import_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "env/model/belief.h"
#include "env/model/capacity.h"
#include "governor/metrics/session.h"
#include "governor/record/recorder.h"
#include "governor/record/recording_header.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kMomentNs = 1'000'000;  // what was read within it was read at once

std::size_t cluster_of(const SampleLog& log, const Sample& sample, const PlatformSpec& platform) {
  for (std::size_t c = 0; c < platform.clusters.size(); ++c)
    if (platform.clusters[c].name == sample.unit ||
        (platform.clusters.size() == 1 && sample.unit == kNoUnitNamed))
      return c;
  std::string names;
  for (const ClusterSpec& cluster : platform.clusters)
    names += (names.empty() ? "" : ", ") + cluster.name;
  input_error(fmt::format("{}:{}", log.files[static_cast<std::size_t>(sample.file)], sample.line),
              fmt::format("its unit '{}' is no cluster of '{}', which has {}", sample.unit,
                          platform.name, names),
              "name units as the clusters of the --platform");
}

std::uint8_t nearest_opp(const ClusterSpec& cluster, double mhz) {
  std::size_t nearest = 0;
  const auto off = [&](std::size_t opp) {
    return std::abs(static_cast<double>(cluster.opps[opp].freq_khz) - 1e3 * mhz);
  };
  for (std::size_t opp = 1; opp < cluster.opps.size(); ++opp)
    if (off(opp) < off(nearest)) nearest = opp;
  return static_cast<std::uint8_t>(nearest);
}

/// The platform so far as the log has it: of a cluster that was never read nothing is known, its clock
/// neither.
PlatformSpec clusters_read(const SampleLog& log, const PlatformSpec& platform) {
  std::vector<bool> read(platform.clusters.size());
  for (const Sample& sample : log.samples)
    if (sample.used) read[cluster_of(log, sample, platform)] = true;
  PlatformSpec some;
  some.name = platform.name;
  for (std::size_t c = 0; c < platform.clusters.size(); ++c)
    if (read[c]) some.clusters.push_back(platform.clusters[c]);
  return some;
}

/// Nothing is known of it yet.
void begin(const PlatformSpec& platform, Observation& now) {
  now.cluster_count = static_cast<int>(platform.clusters.size());
  now.power_mw = now.energy_mj = kNone;
  for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
    ClusterObservation& cluster = now.cluster[c];
    cluster.util_max = cluster.util_mean = cluster.power_mw = cluster.temp_c = cluster.capacity =
        kNone;
    cluster.opp_cap = static_cast<std::uint8_t>(platform.clusters[c].opps.size() - 1);
  }
}

/// A rail that was not read again is as it was. Platforms of this kind have no rail of all.
void add_up(const PlatformSpec& platform, Observation& now) {
  double all_mw = 0;
  bool any = false;
  for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
    if (!std::isfinite(now.cluster[c].power_mw)) continue;
    all_mw += now.cluster[c].power_mw;
    any = true;
  }
  now.power_mw = any ? all_mw : kNone;
  now.energy_mj = now.power_mw * static_cast<double>(now.epoch_ns) * 1e-9;
}

}  // namespace

ImportedRecord write_record(const std::string& path, const SampleLog& log,
                            const PlatformSpec& board, const std::string& format) {
  const PlatformSpec platform = clusters_read(log, board);
  struct Moment {
    std::int64_t at_ns;
    std::size_t cluster;
    const Sample* sample;
  };
  std::vector<Moment> moments;
  double first_s = std::numeric_limits<double>::infinity();
  for (const Sample& sample : log.samples)
    if (sample.used) first_s = std::min(first_s, sample.time_s);
  std::size_t rounded = 0;
  for (const Sample& sample : log.samples) {
    if (!sample.used) continue;
    const std::size_t c = cluster_of(log, sample, platform);
    const auto& opps = platform.clusters[c].opps;
    const std::int64_t khz = std::llround(1e3 * sample.mhz);
    rounded += khz != opps[nearest_opp(platform.clusters[c], sample.mhz)].freq_khz;
    moments.push_back({std::llround((sample.time_s - first_s) * 1e9), c, &sample});
  }
  std::ranges::stable_sort(moments, {}, &Moment::at_ns);
  std::vector<std::int64_t> first_ns(platform.clusters.size(), -1);
  for (const Moment& moment : moments)
    if (first_ns[moment.cluster] < 0) first_ns[moment.cluster] = moment.at_ns;
  if (moments.empty() || moments.back().at_ns - std::ranges::max(first_ns) < kMomentNs)
    input_error(log.files.front(), "has fewer than two moments that can be used",
                "a record needs what was read over a time");
  const Belief belief = Belief::of(board);
  Scenario scenario;
  scenario.name = "imported";
  Recorder recorder(path,
                    recording_info(platform, belief, scenario, "imported from " + format, 0,
                                   reward_weights(belief), {"freq_khz", "power_mw", "temp_c"}),
                    {.wait_for_disk = true, .compress = true});
  ImportedRecord record;
  auto before = std::make_unique<Observation>(), now = std::make_unique<Observation>();
  const auto reward = std::make_unique<Reward>();
  begin(platform, *now);
  Decision decided;
  std::size_t unread = platform.clusters.size(), early = 0;
  std::int64_t begins_ns = 0;
  bool begun = false;
  for (std::size_t i = 0; i < moments.size();) {
    const std::int64_t at_ns = moments[i].at_ns;
    const std::size_t first = i;
    // What is not read at this moment is as it was.
    constexpr std::uint8_t kRead = Sensed::kPower | Sensed::kTemp | Sensed::kClock;
    for (std::size_t c = 0; c < platform.clusters.size(); ++c) now->cluster[c].sensed.mark_held(kRead);
    for (; i < moments.size() && moments[i].at_ns < at_ns + kMomentNs; ++i) {
      const Sample& sample = *moments[i].sample;
      const std::size_t c = moments[i].cluster;
      ClusterObservation& cluster = now->cluster[c];
      if (cluster.freq_khz == 0) --unread;
      cluster.freq_khz = cluster.asked_khz = std::llround(1e3 * sample.mhz);
      cluster.opp = cluster.asked_opp = nearest_opp(platform.clusters[c], sample.mhz);
      cluster.capacity = core_capacity(platform, static_cast<int>(c), sample.mhz * 1e3);
      cluster.power_mw = sample.power_mw;
      cluster.temp_c = sample.temp_c;
      decided.action.opp[c] = cluster.opp;
      cluster.sensed = {};
    }
    // It begins when something is known of every cluster that it has.
    if (unread > 0) {
      early += i - first;
      continue;
    }
    if (!begun) begins_ns = at_ns;
    now->now_ns = at_ns - begins_ns;
    now->epoch_ns = now->now_ns - before->now_ns;
    add_up(platform, *now);
    now->count_held();
    if (begun) {
      ++now->sequence;
      recorder.on_epoch(
          {*before, decided, decided.action, Shield::Verdict::kPassed, *now, *reward, 0});
      ++record.epochs;
    }
    begun = true;
    *before = *now;
  }
  if (const std::string problem = recorder.finish(); !problem.empty())
    throw Error(Error::Kind::kFailure, problem);
  record.length_s = static_cast<double>(before->now_ns) * 1e-9;
  record.notes.push_back(
      "Power and energy of the platform are the sum of the clusters that the log has; load, "
      "counters and jobs are not in it.");
  if (early > 0)
    record.notes.push_back(fmt::format(
        "The first {} samples are left out: not every cluster of the log had been read.", early));
  if (rounded > 0)
    record.notes.push_back(
        fmt::format("{} samples are at clocks that '{}' has not: the nearest "
                    "operating point stands for what was decided.",
                    rounded, platform.name));
  return record;
}

}  // namespace flyball::cli
