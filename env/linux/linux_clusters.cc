#include <algorithm>
#include <utility>

#include "env/linux/actuate/choice.h"
#include "env/linux/linux_parts.h"

namespace flyball {
namespace {

/// Linux names the devices of cpufreq after it, firmware's after the processor.
bool cools_cpus(const CoolingDevice& device) {
  return device.type.find("cpu") != std::string::npos ||
         device.type.find("Processor") != std::string::npos;
}

bool cools_devices(const CoolingDevice& device) {
  return device.type.find("devfreq") != std::string::npos ||
         device.type.find("gpu") != std::string::npos;
}

using Cools = bool (*)(const CoolingDevice&);

bool is_cooling(const LinuxMachine& machine, Cools cools) {
  return std::any_of(
      machine.cooling.begin(), machine.cooling.end(),
      [&](const CoolingDevice& device) { return device.state > 0 && cools(device); });
}

std::vector<std::string> cooling_states(const SysTree& tree, const LinuxMachine& machine,
                                        Cools cools) {
  std::vector<std::string> files;
  for (const CoolingDevice& device : machine.cooling) {
    if (cools(device))
      files.push_back(tree.path("/sys/class/thermal/" + device.name + "/cur_state"));
  }
  return files;
}

}  // namespace

LinuxPlatform::Parts::Parts(const SysTree& tree, const LinuxMachine& machine,
                            const LinuxOptions& options)
    : options(options),
      calls(options.calls != nullptr ? *options.calls : linux_setting_calls()),
      made(options.made != nullptr ? *options.made : make_machine_spec(machine)),
      jobs(options.jobs),
      usage(tree, machine.online | machine.possible, calls),
      power(tree, machine, calls),
      battery(tree, machine, calls),
      realtime(tree),
      idle(tree, made.cpus, calls) {
  for (const ThermalZone& zone : machine.zones) {
    if (zone.of_cpu) zones.emplace_back(calls, tree.path(zone.folder + "/temp"));
  }
  for (std::size_t c = 0; c < made.members.size(); ++c) add_cluster(c, tree, machine);
  add_clamps(machine);
}

void LinuxPlatform::Parts::add_clamps(const LinuxMachine& machine) {
  const auto clamped = [](const Cluster& cluster) {
    return cluster.actuator == ActuatorKind::kUclamp;
  };
  if (std::none_of(cluster_list.begin(), cluster_list.end(), clamped)) return;
  clamps =
      std::make_unique<ClampHand>(options.clamps != nullptr ? *options.clamps : linux_clamp_calls(),
                                  options.hook, adds_headroom_to_clamps(machine.kernel.c_str()));
  for (std::size_t c = 0; c < cluster_list.size(); ++c) {
    const std::int64_t top_khz = cluster_list[c].spec->opps.back().freq_khz;
    clamps->add_cluster(cluster_list[c].cpus, top_khz,
                        capacity_per_khz(c) * static_cast<double>(top_khz));
  }
}

void LinuxPlatform::Parts::add_cluster(std::size_t c, const SysTree& tree,
                                       const LinuxMachine& machine) {
  Cluster& cluster = cluster_list.emplace_back();
  cluster.spec = &made.spec.clusters[c];
  cluster.cpus = made.cpus[c];
  cluster.is_device = made.device[c] >= 0;
  if (cluster.is_device)
    add_device(cluster, machine.devfreq[static_cast<std::size_t>(made.device[c])], tree, machine);
  else
    add_policies(cluster, made.members[c], tree, machine);
  read_clock(cluster);
  cluster.asked_opp = nearest_opp(*cluster.spec, cluster.now_khz);
}

ActuatorChoice LinuxPlatform::Parts::chosen(ActuatorChoice choice) const {
  if (options.dry_run && choice.kind != ActuatorKind::kNone)
    return {ActuatorKind::kNone,
            std::string("dry run; else ") + actuator_name(choice.kind) + ": " + choice.why};
  return choice;
}

void LinuxPlatform::Parts::set_cap(Cluster& cluster, std::int64_t limit_khz, bool cooling) const {
  const bool limited = limit_khz > 0 && !cooling;
  cluster.cap_opp =
      limited ? highest_opp_within(*cluster.spec, limit_khz) : cluster.spec->max_opp();
}

void LinuxPlatform::Parts::add_device(Cluster& cluster, const DevfreqDevice& device,
                                      const SysTree& tree, const LinuxMachine& machine) {
  const ActuatorChoice choice = chosen(choose_actuator(device, options.actuator));
  cluster.actuator = choice.kind;
  cluster.why = choice.why;
  cluster.element = element_name(device.kind);
  cluster.units_per_khz = 1000;
  cluster.policies.push_back(device.name);
  cluster.clock.emplace_back(calls, tree.path(device.folder + "/cur_freq"));
  cluster.limit.emplace_back(calls, tree.path(device.folder + "/max_freq"));
  const bool cooling = is_cooling(machine, cools_devices);
  set_cap(cluster, device.max_hz / cluster.units_per_khz, cooling);
  if (choice.kind == ActuatorKind::kNone) return;
  std::vector<PolicyActuator> actuators;
  actuators.emplace_back(tree.root(), device, choice.kind, cooling, calls, options.hook,
                         cooling_states(tree, machine, cools_devices));
  cluster.hand = std::make_unique<ClockHand>(std::move(actuators));
}

void LinuxPlatform::Parts::add_policies(Cluster& cluster, const std::vector<int>& members,
                                        const SysTree& tree, const LinuxMachine& machine) {
  const bool cooling = is_cooling(machine, cools_cpus);
  std::vector<PolicyActuator> actuators;
  std::int64_t limit_khz = 0;
  for (const int member : members) {
    const CpufreqPolicy& policy = machine.policies[static_cast<std::size_t>(member)];
    const ActuatorChoice choice = chosen(choose_actuator(machine, policy, options.actuator));
    if (cluster.policies.empty() || choice.kind != ActuatorKind::kNone) {
      cluster.actuator = choice.kind;
      cluster.why = choice.why;
    }
    cluster.policies.push_back(policy.name);
    cluster.clock.emplace_back(calls, tree.path(policy.folder + "/scaling_cur_freq"));
    cluster.limit.emplace_back(calls, tree.path(policy.folder + "/scaling_max_freq"));
    limit_khz = std::max(limit_khz, policy.max_khz);
    if (choice.kind != ActuatorKind::kNone && choice.kind != ActuatorKind::kUclamp) {
      actuators.emplace_back(tree.root(), policy, choice.kind, cooling, calls, options.hook,
                             cooling_states(tree, machine, cools_cpus));
    }
  }
  if (!actuators.empty()) cluster.hand = std::make_unique<ClockHand>(std::move(actuators));
  set_cap(cluster, limit_khz, cooling);
  const bool countable = options.perf != nullptr || tree.root().empty();
  if (!countable) return;
  const PerfMachine perf = options.perf != nullptr ? *options.perf : PerfMachine();
  const CpuSet online = cluster.cpus & machine.online;
  auto counters = std::unique_ptr<PerfCounterSource>(
      new PerfCounterSource(PerfCounterSource::of_cpus(online, perf)));
  constexpr std::uint8_t kUseful =
      counter_bit(CounterField::kInstructions) | counter_bit(CounterField::kCycles);
  if ((counters->measured() & kUseful) != 0) cluster.counters = std::move(counters);
}

HandReport LinuxPlatform::Parts::hand_report(std::size_t c) const noexcept {
  const Cluster& cluster = cluster_list[c];
  if (cluster.hand) return cluster.hand->report();
  return cluster.actuator == ActuatorKind::kUclamp ? clamps->report(c) : HandReport();
}

void LinuxPlatform::Parts::hand_over() noexcept {
  if (clamps) clamps->hand_over();
  for (Cluster& cluster : cluster_list) {
    if (cluster.hand) cluster.hand->hand_over();
  }
}

}  // namespace flyball
