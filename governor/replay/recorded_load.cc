#include "governor/replay/recorded_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace flyball {
namespace {

constexpr std::int64_t kWindowNs = 100'000'000;
constexpr std::int64_t kMostWindows =
    2000;                             // what a scenario's segments cost grows with their square
constexpr double kLeastCores = 0.02;  // below it is noise
constexpr double kLeastMw = 2;
constexpr double kMostNf = 10;
constexpr double kFull = 0.98;    // busy share of a cluster that has no time to spare
constexpr double kMostTimes = 4;  // as many threads as cores want to run there

}  // namespace

RecordedLoad::RecordedLoad(const RecordedRun& run, const PlatformSpec& platform)
    : run_(run),
      platform_(platform),
      window_ns_(std::max(kWindowNs, run.duration_ns() / kMostWindows + 1)) {
  const auto count = static_cast<std::size_t>(run.duration_ns() / window_ns_) + 1;
  for (std::size_t c = 0; c < platform.clusters.size(); ++c) windows_[c].resize(count);
}

void RecordedLoad::begin_round() {
  played_.clear();
  for (auto& windows : windows_)
    for (Window& window : windows) window = {.cores = window.cores, .core_nf = window.core_nf};
}

template <class Function>
void RecordedLoad::over_windows(std::size_t cluster, std::int64_t from_ns, std::int64_t to_ns,
                                const Function& function) {
  auto& windows = windows_[cluster];
  for (auto w = static_cast<std::size_t>(from_ns / window_ns_); w < windows.size(); ++w) {
    const std::int64_t start_ns = static_cast<std::int64_t>(w) * window_ns_;
    if (start_ns >= to_ns) break;
    const std::int64_t within_ns =
        std::min(to_ns, start_ns + window_ns_) - std::max(from_ns, start_ns);
    function(windows[w], static_cast<double>(within_ns));
  }
}

void RecordedLoad::add_epoch(const Observation& now) {
  Played& played = played_.emplace_back();
  for (std::size_t c = 0; c < platform_.clusters.size(); ++c)
    played.cluster[c] = {static_cast<float>(now.cluster[c].util_mean),
                         static_cast<float>(now.cluster[c].power_mw)};
}

void RecordedLoad::distrust(std::int64_t from_ns, std::int64_t to_ns) {
  const auto first =
      std::ranges::upper_bound(run_.epochs, from_ns, {}, &RecordedRun::Epoch::end_ns);
  for (auto e = static_cast<std::size_t>(first - run_.epochs.begin());
       e < played_.size() && run_.epochs[e].start_ns < to_ns; ++e)
    played_[e].trusted = false;
}

void RecordedLoad::take_epochs() {
  for (std::size_t e = 0; e < played_.size(); ++e) {
    const RecordedRun::Epoch& epoch = run_.epochs[e];
    if (!played_[e].trusted) continue;
    for (std::size_t c = 0; c < platform_.clusters.size(); ++c) {
      const ClusterSpec& cluster = platform_.clusters[c];
      const RecordedRun::Epoch::Cluster& was = epoch.cluster[c];
      const Played::Cluster& is = played_[e].cluster[c];
      const OperatingPoint& point = cluster.opps[was.opp];
      const double volts = point.voltage_mv * 1e-3;
      const double v2f = volts * volts * static_cast<double>(point.freq_khz) * 1e-6;
      over_windows(c, epoch.start_ns, epoch.end_ns, [&](Window& window, double ns) {
        window.ns += ns;
        window.recorded_cores += ns * static_cast<double>(was.util_mean) * cluster.cores;
        window.played_cores += ns * static_cast<double>(is.util_mean) * cluster.cores;
        window.missing_mw +=
            ns * (static_cast<double>(was.power_mw) - static_cast<double>(is.power_mw));
        window.v2f += ns * v2f;
      });
    }
  }
}

void RecordedLoad::add_job(const JobRecord& recorded, const Mapping& mapping, double slower) {
  for (std::size_t c = 0; c < platform_.clusters.size(); ++c) {
    if (mapping.cores[c] == 0) continue;
    over_windows(c, recorded.start_ns, recorded.finish_ns, [&](Window& window, double ns) {
      window.job_ns += ns;
      window.slower += ns * slower;
    });
  }
}

void RecordedLoad::correct() {
  settled_ = true;
  take_epochs();
  for (std::size_t c = 0; c < platform_.clusters.size(); ++c) {
    const double all = platform_.clusters[c].cores;
    for (Window& window : windows_[c]) {
      if (window.ns == 0) {
        // What keeps the jobs from running as they did may be this load itself.
        settled_ = settled_ && window.cores < kLeastCores;
        window.cores /= 2;
        continue;
      }
      const double before = window.cores;
      const double recorded = window.recorded_cores / window.ns;
      const double played = window.played_cores / window.ns;
      window.cores += recorded - played;
      // A cluster that is full cannot be fuller; that the jobs got less of it tells how many more want it.
      if (window.job_ns > 0.1 * window.ns && recorded > kFull * all && played > kFull * all)
        window.cores += (window.slower / window.job_ns - 1) * std::max(all, window.cores);
      window.cores = std::clamp(window.cores, 0.0, kMostTimes * all);
      // What power was missing was so beside the load as it was: other load brings power of its own.
      if (std::abs(window.cores - before) >= kLeastCores) {
        settled_ = false;
        continue;
      }
      if (window.cores < kLeastCores) continue;
      const double core_mw_per_nf = 1e3 * window.v2f / window.ns;
      const double cores = std::min(all, window.cores);
      const double nf_before = window.core_nf;
      window.core_nf += window.missing_mw / window.ns / (core_mw_per_nf * cores);
      window.core_nf = std::clamp(window.core_nf, 0.0, kMostNf);
      const double changed_mw = std::abs(window.core_nf - nf_before) * core_mw_per_nf * cores;
      settled_ = settled_ && changed_mw < kLeastMw;
    }
  }
}

std::vector<BackgroundLoad> RecordedLoad::loads() const {
  std::vector<BackgroundLoad> loads;
  for (std::size_t c = 0; c < platform_.clusters.size(); ++c) {
    for (std::size_t w = 0; w < windows_[c].size(); ++w) {
      const Window& window = windows_[c][w];
      if (window.cores < kLeastCores) continue;
      BackgroundLoad load;
      load.name = fmt::format("recorded on {}", platform_.clusters[c].name);
      load.cluster = static_cast<int>(c);
      load.cores = window.cores;
      load.core_nf = window.core_nf;
      load.start_ns = static_cast<std::int64_t>(w) * window_ns_;
      load.stop_ns = load.start_ns + window_ns_;
      // Windows that are alike are one load: each edge costs.
      const bool follows = !loads.empty() && loads.back().cluster == load.cluster &&
                           loads.back().stop_ns == load.start_ns &&
                           std::abs(loads.back().cores - load.cores) < 1e-3 &&
                           std::abs(loads.back().core_nf - load.core_nf) < 1e-4;
      if (follows)
        loads.back().stop_ns = load.stop_ns;
      else
        loads.push_back(std::move(load));
    }
  }
  return loads;
}

}  // namespace flyball
