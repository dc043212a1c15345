#include "env/scenario/load_background.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace flyball {
namespace {

constexpr double kLongestSeconds = 100'000;  // a day and a bit
constexpr std::size_t kMaxStretches = 10'000;

std::int64_t to_ns(double s) { return std::llround(s * 1e9); }

class BackgroundLoader {
 public:
  BackgroundLoader(const PlatformSpec& platform, std::int64_t duration_ns)
      : platform_(platform), duration_ns_(duration_ns) {}

  std::vector<BackgroundLoad> load(const YamlMap& root) {
    for (const YamlMap& map :
         root.list("background", {"name", "cluster", "cores", "activity", "memory_slowdown",
                                  "from_s", "to_s", "every_s", "for_s"})) {
      BackgroundLoad load;
      load.name = map.name("name");
      load.cluster = find_cluster(map);
      const ClusterSpec& cluster = platform_.clusters[static_cast<std::size_t>(load.cluster)];
      // More than the cluster has means all of it, so that a scenario fits smaller machines too.
      load.cores = std::min<double>(map.number_or("cores", 1, 0, 1024), cluster.cores);
      load.core_nf = map.number_or("activity", 0.7, 0, 2) * full_activity_nf(load.cluster);
      load.memory_slowdown = map.number_or("memory_slowdown", 0, 0, 10);
      add_stretches(map, load);
    }
    std::stable_sort(out_.begin(), out_.end(),
                     [](const auto& a, const auto& b) { return a.start_ns < b.start_ns; });
    return std::move(out_);
  }

 private:
  int find_cluster(const YamlMap& map) const {
    const std::string name = map.text("cluster");
    const int index = platform_.find_cluster(name);
    if (index < 0) {
      // After the platform's own names, which may be these.
      if (name == "big") return platform_.big_cluster();
      if (name == "little") return little_cluster();
      std::vector<std::string> known;
      for (const ClusterSpec& cluster : platform_.clusters) known.push_back(cluster.name);
      for (const char* reserved : {"big", "little"}) {
        if (platform_.find_cluster(reserved) < 0) known.push_back(reserved);
      }
      map.reject("cluster",
                 fmt::format("platform '{}' has no cluster '{}'{}", platform_.name, name,
                             did_you_mean(name, known)),
                 fmt::format("use one of: {}", fmt::join(known, ", ")));
    }
    return index;
  }

  /// The slowest CPU cluster; the only one, where there is one.
  int little_cluster() const {
    int slowest = platform_.big_cluster();
    const auto speed = [&](int c) {
      const ClusterSpec& cluster = platform_.clusters[static_cast<std::size_t>(c)];
      return cluster.capacity_per_mhz * static_cast<double>(cluster.opps.back().freq_khz);
    };
    for (int c = 0; c < static_cast<int>(platform_.clusters.size()); ++c) {
      if (platform_.clusters[static_cast<std::size_t>(c)].kind == ClusterSpec::Kind::kCpu &&
          speed(c) < speed(slowest)) {
        slowest = c;
      }
    }
    return slowest;
  }

  /// Switched capacitance of a core at activity 1: that of the hottest plain load known there, else
  /// of the hottest network.
  double full_activity_nf(int cluster) const {
    double plain = 0, any = 0;
    for (const AppProfile& app : platform_.apps) {
      const UnitProfile& unit = app.unit[static_cast<std::size_t>(cluster)];
      if (!unit.supported) continue;
      any = std::max(any, unit.core_nf);
      if (app.plain_load) plain = std::max(plain, unit.core_nf);
    }
    return plain > 0 ? plain : any;
  }

  /// Once from from_s to to_s, or within that every `every_s` for `for_s`.
  void add_stretches(const YamlMap& map, const BackgroundLoad& load) {
    const double duration_s = static_cast<double>(duration_ns_) / 1e9;  // * 1e-9 is not exact
    const double first = map.number_or("from_s", 0, 0, duration_s);
    const double last = map.number_or("to_s", duration_s, 0, duration_s);
    if (last <= first) {
      map.reject(map.has("to_s") ? "to_s" : "from_s", "it ends before it begins",
                 "make 'to_s' later than 'from_s'");
    }
    if (map.has("every_s") != map.has("for_s")) {
      map.reject(map.has("every_s") ? "every_s" : "for_s", "the one says nothing without the other",
                 "give both 'every_s' and 'for_s'");
    }
    const double every = map.number_or("every_s", last - first, 1e-3, kLongestSeconds);
    const double length = map.number_or("for_s", last - first, 1e-3, kLongestSeconds);
    if (map.has("for_s") && length >= every) {
      map.reject("for_s", "it lasts as long as the distance of its beginnings",
                 "make it shorter than 'every_s'");
    }
    for (int i = 0; first + i * every < last; ++i) {
      BackgroundLoad stretch = load;
      stretch.start_ns = to_ns(first + i * every);
      stretch.stop_ns = to_ns(std::min(last, first + i * every + length));
      if (stretch.stop_ns <= stretch.start_ns) continue;
      if (out_.size() == kMaxStretches) {
        map.reject(map.has("every_s") ? "every_s" : "name",
                   fmt::format("with it the background begins more than {} times", kMaxStretches),
                   "let it come less often, or make the scenario shorter");
      }
      out_.push_back(stretch);
    }
  }

  const PlatformSpec& platform_;
  std::int64_t duration_ns_;
  std::vector<BackgroundLoad> out_;
};

}  // namespace

std::vector<BackgroundLoad> load_background(const YamlMap& root, const PlatformSpec& platform,
                                            std::int64_t duration_ns) {
  return BackgroundLoader(platform, duration_ns).load(root);
}

}  // namespace flyball
