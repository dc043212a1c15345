#include "env/linux/machine_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr std::int64_t kStepKhz = 100'000;  // the multiplier's step of x86 cores
// Nobody tells voltages: a straight line between those that mobile and desktop cores have at both
// ends of their range. With the capacitances of configs/platforms/host.yaml.
constexpr double kLowestMv = 700, kHighestMv = 1050;
constexpr double kCoreNf = 0.45, kUncoreNf = 0.15;

// Nobody tells how quick a device is, nor what it takes: as three CPU cores of the fastest kind at the
// top of both, with the capacitance of a Jetson Nano's GPU (configs/platforms/jetson_nano.yaml).
constexpr double kDeviceCores = 3, kDeviceNf = 1.66;

std::vector<std::int64_t> steps_between(std::int64_t min_khz, std::int64_t max_khz) {
  std::vector<std::int64_t> steps;
  for (std::int64_t khz = min_khz; khz < max_khz; khz += kStepKhz) steps.push_back(khz);
  steps.push_back(max_khz);
  return steps;
}

/// At most kMaxOpps of them, both ends kept.
std::vector<std::int64_t> thinned(const std::vector<std::int64_t>& khz) {
  if (khz.size() <= kMaxOpps) return khz;
  std::vector<std::int64_t> kept;
  for (std::size_t i = 0; i < kMaxOpps; ++i)
    kept.push_back(khz[i * (khz.size() - 1) / (kMaxOpps - 1)]);
  return kept;
}

std::vector<std::int64_t> table_of(const CpufreqPolicy& policy) {
  if (!policy.table_khz.empty()) return thinned(policy.table_khz);
  return thinned(steps_between(policy.hardware_min_khz, policy.hardware_max_khz));
}

bool is_governable(const CpufreqPolicy& policy) {
  return !policy.table_khz.empty() ||
         (policy.hardware_min_khz > 0 && policy.hardware_max_khz >= policy.hardware_min_khz);
}

bool alike(const CpufreqPolicy& a, const CpufreqPolicy& b) {
  return a.driver == b.driver && a.table_khz == b.table_khz && a.capacity == b.capacity &&
         a.hardware_max_khz == b.hardware_max_khz;
}

/// Groups of policies, at most as many as a platform may have clusters: one each, else those that
/// are alike together, else the last group takes what is left.
std::vector<std::vector<int>> grouped(const LinuxMachine& machine) {
  std::vector<std::vector<int>> groups;
  const auto usable = static_cast<std::size_t>(
      std::count_if(machine.policies.begin(), machine.policies.end(), is_governable));
  for (std::size_t i = 0; i < machine.policies.size(); ++i) {
    const CpufreqPolicy& policy = machine.policies[i];
    if (!is_governable(policy)) continue;
    auto group = groups.end();
    if (usable > kMaxClusters) {
      group = std::find_if(groups.begin(), groups.end(), [&](const std::vector<int>& each) {
        return alike(machine.policies[static_cast<std::size_t>(each.front())], policy);
      });
      if (group == groups.end() && groups.size() == kMaxClusters) group = groups.end() - 1;
    }
    if (group == groups.end()) group = groups.emplace(groups.end());
    group->push_back(static_cast<int>(i));
  }
  return groups;
}

std::vector<OperatingPoint> with_voltages(const std::vector<std::int64_t>& table) {
  std::vector<OperatingPoint> opps;
  const double range_khz =
      static_cast<double>(std::max<std::int64_t>(1, table.back() - table.front()));
  for (const std::int64_t khz : table) {
    const double part = static_cast<double>(khz - table.front()) / range_khz;
    opps.push_back({khz, kLowestMv + part * (kHighestMv - kLowestMv)});
  }
  return opps;
}

ClusterSpec cluster_of(const CpufreqPolicy& policy, std::size_t members, int cores) {
  ClusterSpec cluster;
  cluster.name = members == 1 ? policy.name : fmt::format("{}x{}", policy.name, members);
  cluster.cores = std::min(cores, 255);
  const std::vector<std::int64_t> table = table_of(policy);
  cluster.opps = with_voltages(table);
  const double top_mhz = static_cast<double>(table.back()) / 1e3;
  const double capacity = policy.capacity > 0 ? static_cast<double>(policy.capacity) : 1024;
  cluster.capacity_per_mhz = 1024 * capacity / top_mhz;
  // A smaller core switches less; the square of its capacity is near the A7's part of the A15.
  const double size = capacity / 1024 * (capacity / 1024);
  cluster.uncore_nf = kUncoreNf * size;
  cluster.gate_idle_cores = true;
  cluster.leak_c_a = 0.05 * size;
  cluster.leak_core_share = 0.8;
  cluster.transition_latency_us =
      policy.transition_latency_ns ? static_cast<double>(*policy.transition_latency_ns) / 1e3 : 100;
  return cluster;
}

std::vector<std::int64_t> table_of(const DevfreqDevice& device) {
  std::vector<std::int64_t> khz;
  for (const std::int64_t hz : device.table_hz) {
    if (khz.empty() || hz / 1000 > khz.back()) khz.push_back(hz / 1000);
  }
  return thinned(khz);
}

ClusterSpec cluster_of(const DevfreqDevice& device, const PlatformSpec& cpus) {
  ClusterSpec cluster;
  cluster.name = device.name;
  cluster.kind = ClusterSpec::Kind::kGpu;
  cluster.opps = with_voltages(table_of(device));
  const ClusterSpec& fastest = cpus.clusters[static_cast<std::size_t>(cpus.big_cluster())];
  cluster.capacity_per_mhz = kDeviceCores * fastest.capacity_per_mhz *
                             static_cast<double>(fastest.opps.back().freq_khz) /
                             static_cast<double>(cluster.opps.back().freq_khz);
  cluster.gate_idle_cores = true;
  cluster.transition_latency_us = 300;  // assumed, as the Nano's
  return cluster;
}

void add_devices(const LinuxMachine& machine, MachineSpec& made, AppProfile& plain) {
  PlatformSpec& spec = made.spec;
  const PlatformSpec cpus = spec;
  for (std::size_t d = 0; d < machine.devfreq.size(); ++d) {
    const DevfreqDevice& device = machine.devfreq[d];
    const std::size_t c = spec.clusters.size();
    if (!is_processing_element(device) || c == kMaxClusters) continue;
    spec.clusters.push_back(cluster_of(device, cpus));
    made.members.emplace_back();
    made.cpus.emplace_back();
    made.device.push_back(static_cast<int>(d));
    Mapping mapping;
    mapping.cores[c] = 1;
    mapping.name = device.name;
    spec.mappings.push_back(mapping);
    plain.unit[c].core_nf = kDeviceNf;
  }
}

/// What the Linux kernel believes that a busy CPU takes, exactly, at each of its clocks; the voltages
/// are those that this would need if all of it were switched, and no core took anything else.
void believe(const EnergyModel& model, ClusterSpec& cluster, double& core_nf) {
  const auto mw_per_mhz = [&](std::int64_t khz) {
    return model.power_mw(static_cast<double>(khz)) / (static_cast<double>(khz) / 1e3);
  };
  const double highest = mw_per_mhz(cluster.opps.back().freq_khz);
  double least_mv = 0;
  for (OperatingPoint& opp : cluster.opps) {
    opp.voltage_mv = std::max(least_mv, kHighestMv * std::sqrt(mw_per_mhz(opp.freq_khz) / highest));
    least_mv = opp.voltage_mv;
  }
  core_nf = highest / (kHighestMv / 1e3 * kHighestMv / 1e3);
  cluster.uncore_nf = 0;
  cluster.leak_c_a = 0;
}

/// The lowest temperature at which Linux holds clocks down, of all zones of CPUs, as the temperature that
/// is observed is the highest of theirs: of any cluster. One node, since a machine may have more zones
/// than a platform has.
void add_trips(const LinuxMachine& machine, PlatformSpec& spec) {
  double lowest_c = 0;
  std::string name;
  for (const ThermalZone& zone : machine.zones) {
    if (!zone.of_cpu) continue;
    for (const ThermalTrip& trip : zone.trips) {
      const double temp_c = static_cast<double>(trip.temp_mc) * 1e-3;
      if (trip.type != "passive" || temp_c == 0 || (lowest_c != 0 && temp_c >= lowest_c)) continue;
      lowest_c = temp_c;
      name = zone.type;
    }
  }
  if (lowest_c == 0) return;
  spec.thermal.push_back({name, 0, 0, {}});
  for (int c = 0; c < static_cast<int>(spec.clusters.size()); ++c) {
    TripPoint trip{};
    trip.kind = TripPoint::Kind::kStepDown;
    trip.temp_c = lowest_c;
    trip.cluster = c;
    trip.node = 0;
    trip.steps = 1;
    spec.trips.push_back(trip);
  }
}

}  // namespace

bool is_processing_element(const DevfreqDevice& device) {
  return device.runs_jobs() && device.table_hz.size() >= 2;
}

MachineSpec make_machine_spec(const LinuxMachine& machine, bool devices) {
  MachineSpec made;
  made.members = grouped(machine);
  if (made.members.empty()) {
    input_error("platform 'linux'",
                machine.policies.empty()
                    ? "this machine has no cpufreq policy, so no clock to govern"
                    : "none of its cpufreq policies can be read",
                "'flyball doctor' says what there is; '--platform host' emulates clocks");
  }
  PlatformSpec& spec = made.spec;
  spec.name = "linux";
  spec.description = machine.model.empty() ? "this machine" : machine.model;
  spec.board_mw = 0;
  AppProfile plain;
  plain.name = "plain";
  plain.plain_load = true;
  plain.levels = {LevelProfile{}};
  for (std::size_t c = 0; c < made.members.size(); ++c) {
    CpuSet cpus;
    for (const int member : made.members[c])
      cpus = cpus | machine.policies[static_cast<std::size_t>(member)].cpus;
    made.cpus.push_back(cpus);
    made.device.push_back(-1);
    const CpufreqPolicy& first =
        machine.policies[static_cast<std::size_t>(made.members[c].front())];
    spec.clusters.push_back(cluster_of(first, made.members[c].size(), cpus.count()));
    Mapping mapping;
    mapping.cores[c] = static_cast<std::uint8_t>(spec.clusters[c].cores);
    mapping.name = fmt::format("{}x{}", spec.clusters[c].name, spec.clusters[c].cores);
    spec.mappings.push_back(mapping);
    plain.unit[c].supported = true;
    plain.unit[c].core_nf = kCoreNf * spec.clusters[c].uncore_nf / kUncoreNf;
    if (const EnergyModel* model = machine.energy_model_of(first.cpus.nth(0)))
      believe(*model, spec.clusters[c], plain.unit[c].core_nf);
  }
  add_trips(machine, spec);
  if (devices) add_devices(machine, made, plain);
  spec.apps = {plain};
  return made;
}

}  // namespace flyball
