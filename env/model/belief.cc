#include "env/model/belief.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/error.h"

namespace flyball {
namespace {

// What of a neutral job spreads over cores (Amdahl): measured networks lie between 0.8 and 0.95.
constexpr double kNeutralParallel = 0.85;
constexpr double kNeutralNf = 0.3;  // of a busy core where no application is known

std::string difference(const ClusterSpec& a, const ClusterSpec& b) {
  if (a.name != b.name) return fmt::format("its cluster '{}' is called '{}' there", a.name, b.name);
  if (a.cores != b.cores) {
    return fmt::format("its cluster '{}' has {} cores and there {}", a.name, a.cores, b.cores);
  }
  if (a.kind != b.kind) return fmt::format("its cluster '{}' is of another kind", a.name);
  if (a.opps.size() != b.opps.size()) {
    return fmt::format("its cluster '{}' has {} operating points and there {}", a.name,
                       a.opps.size(), b.opps.size());
  }
  for (std::size_t i = 0; i < a.opps.size(); ++i) {
    if (a.opps[i].freq_khz == b.opps[i].freq_khz) continue;
    return fmt::format("its cluster '{}' has {} kHz where it has {} there", a.name,
                       a.opps[i].freq_khz, b.opps[i].freq_khz);
  }
  return "";
}

}  // namespace

void check_belief(const Belief& belief, const PlatformSpec& truth) {
  const std::string what = fmt::format("belief '{}'", belief.mean.name);
  const std::string remedy = "a belief may differ in costs, not in what can be turned";
  if (belief.mean.clusters.size() != truth.clusters.size()) {
    input_error(what,
                fmt::format("it has {} clusters and platform '{}' {}", belief.mean.clusters.size(),
                            truth.name, truth.clusters.size()),
                remedy);
  }
  for (std::size_t c = 0; c < truth.clusters.size(); ++c) {
    const std::string why = difference(belief.mean.clusters[c], truth.clusters[c]);
    if (!why.empty()) input_error(what, why + fmt::format(" (platform '{}')", truth.name), remedy);
  }
  // An action holds indices of both: the same index must mean the same.
  const auto same_cores = [](const Mapping& a, const Mapping& b) { return a.cores == b.cores; };
  if (!std::equal(belief.mean.mappings.begin(), belief.mean.mappings.end(), truth.mappings.begin(),
                  truth.mappings.end(), same_cores)) {
    input_error(what, fmt::format("it has other mappings than platform '{}'", truth.name), remedy);
  }
  for (const AppProfile& app : truth.apps) {
    const int known = belief.mean.find_app(app.name);
    if (known < 0) continue;
    const std::vector<LevelProfile>& believed =
        belief.mean.apps[static_cast<std::size_t>(known)].levels;
    const auto same_level = [](const LevelProfile& a, const LevelProfile& b) {
      return a.width_pct == b.width_pct && a.int8 == b.int8;
    };
    if (std::equal(believed.begin(), believed.end(), app.levels.begin(), app.levels.end(),
                   same_level)) {
      continue;
    }
    input_error(what,
                fmt::format("its application '{}' has other levels than on platform '{}'", app.name,
                            truth.name),
                remedy);
  }
}

AppProfile neutral_profile(const PlatformSpec& platform, const std::string& name,
                           const std::vector<DeclaredLevel>& levels, std::int64_t deadline_ns) {
  AppProfile app;
  app.name = name;
  app.parallel_fraction = kNeutralParallel;
  for (const DeclaredLevel& level : levels) {
    LevelProfile profile;
    profile.width_pct = level.width_pct;
    profile.int8 = level.int8;
    profile.time_factor = level.width_pct / 100.0;
    profile.accuracy_pct = level.accuracy_pct;
    profile.accuracy_source = "declared by the application";
    app.levels.push_back(profile);
  }
  const ClusterSpec& big = platform.clusters[static_cast<std::size_t>(platform.big_cluster())];
  const double job_ns = 0.5 * static_cast<double>(deadline_ns > 0 ? deadline_ns : 100'000'000);
  const double big_mcycles = job_ns * static_cast<double>(big.opps.back().freq_khz) * 1e-12;
  for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
    UnitProfile& unit = app.unit[c];
    unit.supported = platform.clusters[c].kind == ClusterSpec::Kind::kCpu;
    unit.mcycles = big_mcycles * big.capacity_per_mhz / platform.clusters[c].capacity_per_mhz;
    double sum_nf = 0;
    int known = 0;
    for (const AppProfile& other : platform.apps) {
      if (!other.unit[c].supported) continue;
      sum_nf += other.unit[c].core_nf;
      ++known;
    }
    unit.core_nf = known > 0 ? sum_nf / known : kNeutralNf;
    unit.gate_idle_cores = platform.clusters[c].gate_idle_cores;
  }
  return app;
}

}  // namespace flyball
