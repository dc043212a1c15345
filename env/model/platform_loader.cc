#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cmath>

#include "env/config/yaml.h"
#include "env/model/content_hash.h"
#include "env/model/load_apps.h"
#include "env/model/platform_mappings.h"
#include "env/model/platform_spec.h"
#include "env/model/runaway.h"
#include "env/model/thermal.h"

namespace flyball {
namespace {

constexpr int kMaxClusterCores = 255;
constexpr std::size_t kMaxIdleStates = 10;              // as Linux's CPUIDLE_STATE_MAX
constexpr double kLeastSpread = 1e-3, kMostSpread = 1;  // of what is said: a standard deviation
constexpr std::size_t kMaxTrips = std::tuple_size_v<decltype(ThermalState::tripped)>;

/// How many CPUs this process may use.
int cpus_of_machine() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  // Fails only on machines of more than 1024 CPUs.
  return sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : kMaxClusterCores;
}

std::vector<OperatingPoint> read_opps(const YamlMap& cluster) {
  std::vector<OperatingPoint> opps;
  const std::vector<YamlMap> list = cluster.list("opps", {"mhz", "mv", "delivered_share"});
  if (!cluster.has("opps")) cluster.reject("opps", "is missing", "list {mhz, mv} pairs");
  check_count(cluster, "opps", list.size(), kMaxOpps);
  for (const YamlMap& entry : list) {
    const OperatingPoint opp{
        .freq_khz = static_cast<std::int64_t>(std::llround(entry.number("mhz", 1, 10'000) * 1000)),
        .voltage_mv = entry.number("mv", 100, 3000),
        .delivered_share = entry.number_or("delivered_share", 1, 0.05, 1)};
    if (!opps.empty() && opp.freq_khz <= opps.back().freq_khz) {
      entry.reject("mhz", "is not above that of the operating point before it",
                   "sort the list by ascending frequency");
    }
    if (!opps.empty() && opp.voltage_mv < opps.back().voltage_mv) {
      entry.reject("mv", "falls while the frequency rises", "check the voltages");
    }
    // Whoever searches a clock takes a higher one for a faster one.
    if (!opps.empty() && opp.delivered_khz() <= opps.back().delivered_khz()) {
      entry.reject(entry.has("delivered_share") ? "delivered_share" : "mhz",
                   "the operating point before it delivers as much",
                   "let the clocks that are delivered ascend, too");
    }
    opps.push_back(opp);
  }
  // Times and powers of jobs are measured at the highest clock and told by its name.
  if (opps.back().delivered_share < 1) {
    list.back().reject("delivered_share", "the highest operating point delivers less than its name",
                       "give its mhz as what it delivers");
  }
  return opps;
}

/// From the shallowest to the deepest: each takes less, and needs longer to pay.
std::vector<IdleStateSpec> read_idle_states(const YamlMap& cluster, bool emulated) {
  std::vector<IdleStateSpec> states;
  if (!cluster.has("idle_states")) return states;
  if (emulated) {
    cluster.reject("idle_states", "an emulated platform idles in the states of this machine",
                   "remove them, or 'emulated: true'");
  }
  const std::vector<YamlMap> list = cluster.list(
      "idle_states", {"name", "power_share", "exit_latency_us", "residency_us", "cluster_off"});
  check_count(cluster, "idle_states", list.size(), kMaxIdleStates);
  for (const YamlMap& entry : list) {
    const IdleStateSpec state{.name = entry.name("name"),
                              .power_share = entry.number("power_share", 0, 1),
                              .exit_latency_us = entry.number("exit_latency_us", 0, 1e6),
                              .residency_us = entry.number("residency_us", 1, 1e7),
                              .cluster_off = entry.boolean_or("cluster_off", false)};
    // Energy of a stay that is shorter than the way back is none that is saved.
    if (state.residency_us < state.exit_latency_us) {
      entry.reject("residency_us",
                   "is below the exit latency: waking would take longer than the stay",
                   fmt::format("give {:g} or more", state.exit_latency_us));
    }
    const IdleStateSpec* before = states.empty() ? nullptr : &states.back();
    if (state.power_share >= (before == nullptr ? 1 : before->power_share)) {
      entry.reject(
          "power_share",
          before == nullptr ? "is 1: it saves nothing" : "is not below that of the state before it",
          "sort the list from the shallowest state to the deepest");
    }
    if (before != nullptr && state.residency_us <= before->residency_us) {
      entry.reject("residency_us", "is not above that of the state before it",
                   "sort the list from the shallowest state to the deepest");
    }
    if (before != nullptr && state.exit_latency_us < before->exit_latency_us) {
      entry.reject("exit_latency_us", "is below that of the state before it",
                   "leave out the state that takes more power and wakes later");
    }
    if (before != nullptr && before->cluster_off && !state.cluster_off) {
      entry.reject("cluster_off", "is false, and the state before it needs the whole cluster",
                   "list the states of single cores first");
    }
    for (const IdleStateSpec& other : states) {
      if (other.name != state.name) continue;
      entry.reject("name", fmt::format("'{}' is the name of another state", state.name),
                   "give each its own");
    }
    states.push_back(state);
  }
  return states;
}

ClusterSpec read_cluster(const std::string& name, const YamlMap& map, bool emulated) {
  ClusterSpec cluster;
  cluster.name = name;
  cluster.kind =
      map.choice("kind", {"cpu", "gpu"}) == 0 ? ClusterSpec::Kind::kCpu : ClusterSpec::Kind::kGpu;
  const int max_cores =
      static_cast<int>(map.integer_or("max_cores", kMaxClusterCores, 1, kMaxClusterCores));
  if (map.text("cores") == "auto") {
    cluster.cores = std::min(cpus_of_machine(), max_cores);
  } else {
    map.refuse_keys({"max_cores"}, "it bounds 'cores: auto', and 'cores' is a number");
    cluster.cores = static_cast<int>(map.integer("cores", 1, max_cores));
  }
  if (cluster.kind == ClusterSpec::Kind::kGpu && cluster.cores != 1) {
    map.reject("cores", "a GPU is taken as a whole", "set it to 1");
  }
  cluster.opps = read_opps(map);
  cluster.capacity_per_mhz = map.number("capacity_per_mhz", 1, 1e6);
  cluster.uncore_nf = map.number("uncore_nf", 0, 1000);
  cluster.idle_core_nf = map.number("idle_core_nf", 0, 1000);
  cluster.gate_idle_cores = map.boolean_or("gate_idle_cores", false);
  cluster.idle_states = read_idle_states(map, emulated);
  cluster.transition_latency_us = map.number("transition_latency_us", 0, 1e6);
  if (map.has("dynamic_power_coefficient")) {
    if (cluster.kind == ClusterSpec::Kind::kGpu) {
      map.reject("dynamic_power_coefficient", "places tasks on CPUs, which a GPU has none of",
                 "remove it");
    }
    cluster.dynamic_power_coefficient = map.number("dynamic_power_coefficient", 1, 1e6);
  }
  const YamlMap leakage = map.map("leakage", {"a_w_per_v_k2", "b_k", "c_a", "core_share"});
  cluster.leak_a = leakage.number("a_w_per_v_k2", 0, 10);
  cluster.leak_b_k = leakage.number("b_k", 0, 1e5);
  cluster.leak_c_a = leakage.number("c_a", 0, 100);
  cluster.leak_core_share = leakage.number("core_share", 0, 1);
  return cluster;
}

int cluster_index(const YamlMap& map, const PlatformSpec& spec) {
  const std::string name = map.text("cluster");
  const int cluster = spec.find_cluster(name);
  if (cluster < 0) {
    std::vector<std::string> names;
    for (const ClusterSpec& each : spec.clusters) names.push_back(each.name);
    map.reject("cluster", fmt::format("'{}' is no cluster{}", name, did_you_mean(name, names)),
               fmt::format("its clusters are {}", fmt::join(names, ", ")));
  }
  return cluster;
}

ThermalNode read_thermal_node(const std::string& name, const YamlMap& map,
                              const PlatformSpec& spec) {
  ThermalNode node{.name = name,
                   .cluster = cluster_index(map, spec),
                   .offset_c = map.number("offset_c", -100, 100),
                   .terms = {}};
  const std::vector<YamlMap> terms = map.list("terms", {"r_k_per_w", "tau_s"});
  if (!map.has("terms")) map.reject("terms", "is missing", "list {r_k_per_w, tau_s} pairs");
  check_count(map, "terms", terms.size(), kMaxThermalTerms);
  double steady_k_per_w = 0;
  for (const YamlMap& term : terms) {
    node.terms.push_back({term.number("r_k_per_w", -100, 100), term.number("tau_s", 1e-3, 1e5)});
    steady_k_per_w += node.terms.back().r_k_per_w;
  }
  if (steady_k_per_w < 0) {
    map.reject("terms", fmt::format("sum to {} K/W: more power would cool", steady_k_per_w),
               "let the resistances sum to 0 or more");
  }
  return node;
}

TripPoint read_trip(const YamlMap& map, const PlatformSpec& spec) {
  TripPoint trip{.kind = TripPoint::Kind::kStepDown, .temp_c = 0, .hysteresis_c = 0, .cluster = 0};
  trip.cluster = cluster_index(map, spec);
  const ClusterSpec& cluster = spec.clusters[trip.cluster];
  const std::string sensor = map.text("sensor");
  trip.node = -1;
  std::vector<std::string> names;
  for (std::size_t n = 0; n < spec.thermal.size(); ++n) {
    names.push_back(spec.thermal[n].name);
    if (sensor == names.back()) trip.node = static_cast<int>(n);
  }
  if (trip.node < 0) {
    map.reject("sensor",
               fmt::format("'{}' is no thermal node{}", sensor, did_you_mean(sensor, names)),
               fmt::format("its thermal nodes are {}", fmt::join(names, ", ")));
  }
  trip.temp_c = map.number("temp_c", 0, 200);
  trip.hysteresis_c = map.number("hysteresis_c", 0, 100);
  switch (map.choice("action", {"step_down", "cap", "critical"})) {
    case 0:
      map.refuse_keys({"cap_mhz"}, "it belongs to 'action: cap'");
      trip.steps = static_cast<int>(map.integer("steps", 1, kMaxOpps));
      break;
    case 1:
      map.refuse_keys({"steps"}, "they belong to 'action: step_down'");
      trip.kind = TripPoint::Kind::kCap;
      trip.cap_khz = std::llround(map.number("cap_mhz", 1, 10'000) * 1000);
      if (trip.cap_khz < cluster.opps[0].freq_khz) {
        map.reject(
            "cap_mhz", "is below the lowest operating point of the cluster",
            fmt::format("give {:g} or more", static_cast<double>(cluster.opps[0].freq_khz) / 1000));
      }
      break;
    default:
      map.refuse_keys({"steps", "cap_mhz"}, "'critical' goes down to the lowest operating point");
      trip.kind = TripPoint::Kind::kCritical;
  }
  return trip;
}

/// Refuses a board that no state of its own keeps cool, and warns of one that only work overheats.
void check_temperatures(const YamlMap& root,
                        const std::vector<std::pair<std::string, YamlMap>>& clusters,
                        PlatformSpec& spec) {
  spec.warnings = busy_runaways(spec);
  const std::optional<IdleRunaway> idle = idle_runaway(spec);
  if (!idle) return;
  if (idle->cluster < 0) root.reject("thermal", idle->why, "check its terms and the idle power");
  clusters[static_cast<std::size_t>(idle->cluster)].second.reject(
      "leakage", idle->why, "check it, and the terms under 'thermal'");
}

}  // namespace

PlatformSpec load_platform(const std::string& name_or_path) {
  const YamlMap root =
      YamlMap::file(find_config("platforms", name_or_path), 1,
                    {"name", "description", "emulated", "board_mw", "migration_us", "cold_cache_ms",
                     "level_switch_us", "decision_latency_us", "spread", "clusters", "mappings",
                     "apps", "thermal", "trip_poll_ms", "trips"});
  PlatformSpec spec;
  spec.name = root.name("name");
  spec.description = root.text("description");
  spec.emulated = root.boolean_or("emulated", false);
  spec.board_mw = root.number("board_mw", 0, 1e6);
  spec.migration_us = root.number("migration_us", 0, 1e6);
  spec.cold_cache_ms = root.number("cold_cache_ms", 0, 1e4);
  spec.level_switch_us = root.number_or("level_switch_us", 0, 0, 1e6);
  spec.decision_latency_us =
      root.number_or("decision_latency_us", spec.decision_latency_us, 0, 1e5);

  if (root.has("spread")) {
    const YamlMap spread = root.map("spread", {"time", "power"});
    if (spread.has("time")) spec.time_spread = spread.number("time", kLeastSpread, kMostSpread);
    if (spread.has("power")) spec.power_spread = spread.number("power", kLeastSpread, kMostSpread);
  }

  const auto clusters = root.named_maps(
      "clusters", {"kind", "cores", "max_cores", "capacity_per_mhz", "transition_latency_us",
                   "dynamic_power_coefficient", "gate_idle_cores", "uncore_nf", "idle_core_nf",
                   "leakage", "idle_states", "opps"});
  check_count(root, "clusters", clusters.size(), kMaxClusters);
  for (const auto& [name, map] : clusters) {
    spec.clusters.push_back(read_cluster(name, map, spec.emulated));
  }
  if (spec.big_cluster() < 0) {
    root.reject("clusters", "none is a CPU", "give one of them 'kind: cpu'");
  }

  const bool mix = root.choice("mappings", {"mixed", "one_cluster"}) == 0;
  spec.mappings = make_mappings(spec.clusters, mix);

  const auto apps =
      root.named_maps("apps", {"kind", "model", "parallel_fraction", "shares", "widths", "knobs",
                               "levels", "accuracy_source", "units"});
  check_count(root, "apps", apps.size(), 16);
  for (const auto& [name, map] : apps) spec.apps.push_back(read_app(name, map, spec.clusters));

  const auto nodes = root.named_maps("thermal", {"cluster", "offset_c", "terms"});
  check_count(root, "thermal", nodes.size(), kMaxThermalNodes);
  for (const auto& [name, map] : nodes) {
    spec.thermal.push_back(read_thermal_node(name, map, spec));
  }
  spec.trip_poll_ms = root.number_or("trip_poll_ms", 250, 1, 1e5);
  const std::vector<YamlMap> trips = root.list(
      "trips", {"cluster", "sensor", "temp_c", "hysteresis_c", "action", "steps", "cap_mhz"});
  if (!trips.empty()) check_count(root, "trips", trips.size(), kMaxTrips);
  for (const YamlMap& map : trips) spec.trips.push_back(read_trip(map, spec));
  check_temperatures(root, clusters, spec);
  spec.content_hash = content_hash(spec);
  for (AppProfile& app : spec.apps) app.content_hash = content_hash(spec, app);
  return spec;
}

}  // namespace flyball
