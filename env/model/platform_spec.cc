#include "env/model/platform_spec.h"

#include <algorithm>

namespace flyball {
namespace {

template <typename Named>
int find_by_name(const std::vector<Named>& all, std::string_view name) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

std::string AppProfile::level_name(int level) const {
  return flyball::level_name(knobs, levels[static_cast<std::size_t>(level)].knob);
}

std::string AppProfile::level_text(int level, LevelText style) const {
  return flyball::level_text(knobs, levels[static_cast<std::size_t>(level)].knob, style);
}

double AppProfile::highest_accuracy_pct() const {
  double highest = 0;
  for (const LevelProfile& level : levels) highest = std::max(highest, level.accuracy_pct);
  return highest;
}

double AppProfile::attainable_pct(double accuracy_floor_pct) const {
  return std::min(accuracy_floor_pct, highest_accuracy_pct());
}

int AppProfile::level_for(double accuracy_floor_pct) const {
  const double floor_pct = attainable_pct(accuracy_floor_pct);
  const auto before = [this](int a, int b) {
    const LevelProfile& first = levels[static_cast<std::size_t>(a)];
    const LevelProfile& second = levels[static_cast<std::size_t>(b)];
    if (first.time_factor != second.time_factor) return first.time_factor < second.time_factor;
    return first.accuracy_pct > second.accuracy_pct;
  };
  int quickest = -1;
  for (int level = 0; level < level_count(); ++level) {
    if (levels[static_cast<std::size_t>(level)].accuracy_pct < floor_pct) continue;
    if (quickest < 0 || before(level, quickest)) quickest = level;
  }
  return std::max(quickest, 0);
}

double AppProfile::parallel_fraction_of(int level, int cores) const {
  const auto& measured = levels[static_cast<std::size_t>(level)].parallel_fraction;
  if (measured.empty() || cores < 2) return parallel_fraction;
  return measured[std::min(static_cast<std::size_t>(cores) - 2, measured.size() - 1)];
}

bool AppProfile::never_dearer(int a, int b) const {
  const LevelProfile& first = levels[static_cast<std::size_t>(a)];
  const LevelProfile& second = levels[static_cast<std::size_t>(b)];
  if (first.time_factor * first.activity_factor > second.time_factor * second.activity_factor) {
    return false;
  }
  // A single core's time, then that of every number of cores that was measured.
  const std::size_t counts =
      1 + std::max(first.parallel_fraction.size(), second.parallel_fraction.size());
  for (std::size_t i = 0; i < counts; ++i) {
    const int cores = static_cast<int>(i) + 1;
    const auto time = [&](const LevelProfile& of, int level) {
      const double parallel = cores == 1 ? 0 : parallel_fraction_of(level, cores);
      return of.time_factor * (1 - parallel + parallel / cores);
    };
    if (time(first, a) > time(second, b)) return false;
  }
  return true;
}

int PlatformSpec::find_cluster(std::string_view cluster) const {
  return find_by_name(clusters, cluster);
}

int PlatformSpec::find_app(std::string_view app) const { return find_by_name(apps, app); }

int PlatformSpec::find_mapping(int cluster, int cores) const {
  Mapping wanted;
  wanted.cores[cluster] = static_cast<std::uint8_t>(cores);
  for (std::size_t m = 0; m < mappings.size(); ++m) {
    if (mappings[m].cores == wanted.cores) return static_cast<int>(m);
  }
  return -1;
}

int PlatformSpec::big_cluster() const {
  int big = -1;
  double fastest = 0;
  for (std::size_t c = 0; c < clusters.size(); ++c) {
    if (clusters[c].kind != ClusterSpec::Kind::kCpu) continue;
    const double speed =
        clusters[c].capacity_per_mhz * static_cast<double>(clusters[c].opps.back().freq_khz);
    if (big < 0 || speed > fastest) {
      big = static_cast<int>(c);
      fastest = speed;
    }
  }
  return big;
}

}  // namespace flyball
