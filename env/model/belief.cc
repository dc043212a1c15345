#include "env/model/belief.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/error.h"

namespace flyball {
namespace {

// What of a neutral job spreads over cores (Amdahl): measured networks lie between 0.8 and 0.95.
constexpr double kNeutralParallel = 0.85;
constexpr double kNeutralNf = 0.3;  // of a busy core where no application is known

/// Time grows with a number as it does with the width of a network, and with a word by its place in
/// the order. What qualifies another knob, as the precision does, may cost more or less.
double neutral_time_factor(const std::vector<QualityKnob>& knobs, const KnobValues& values) {
  double factor = 1;
  for (std::size_t k = 0; k < knobs.size(); ++k) {
    const std::vector<std::string>& all = knobs[k].values;
    if (knobs[k].qualifies || values[k] >= all.size()) continue;
    const double value = number_of(all[values[k]]).value_or(values[k] + 1);
    const double whole = number_of(all.back()).value_or(static_cast<double>(all.size()));
    if (value > 0 && whole > 0) factor *= value / whole;
  }
  return factor;
}

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
    const AppProfile& believed = belief.mean.apps[static_cast<std::size_t>(known)];
    const auto same_level = [](const LevelProfile& a, const LevelProfile& b) {
      return a.knob == b.knob;
    };
    if (believed.knobs == app.knobs &&
        std::equal(believed.levels.begin(), believed.levels.end(), app.levels.begin(),
                   app.levels.end(), same_level)) {
      continue;
    }
    input_error(what,
                fmt::format("its application '{}' has other levels than on platform '{}'", app.name,
                            truth.name),
                remedy);
  }
}

AppProfile neutral_profile(const PlatformSpec& platform, const Binding& binding,
                           std::int64_t deadline_ns) {
  AppProfile app;
  app.name = binding.profile;
  app.parallel_fraction = kNeutralParallel;
  app.knobs = binding.knobs;
  for (const DeclaredLevel& level : binding.levels) {
    LevelProfile profile;
    profile.knob = level.knob;
    profile.time_factor = neutral_time_factor(binding.knobs, level.knob);
    profile.accuracy_pct = level.accuracy_pct;
    profile.accuracy_source = "declared by the application";
    app.levels.push_back(profile);
  }
  const ClusterSpec& big = platform.clusters[static_cast<std::size_t>(platform.big_cluster())];
  const double job_ns = 0.5 * static_cast<double>(deadline_ns > 0 ? deadline_ns : 100'000'000);
  const double big_mcycles = job_ns * static_cast<double>(big.opps.back().freq_khz) * 1e-12;
  for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
    UnitProfile& unit = app.unit[c];
    unit.supported = binding.clusters != 0 ? (binding.clusters >> c & 1) != 0
                                           : platform.clusters[c].kind == ClusterSpec::Kind::kCpu;
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
