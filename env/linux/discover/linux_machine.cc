#include "env/linux/discover/linux_machine.h"

#include <algorithm>

namespace flyball {
namespace {

CpuSet cpu_list(const SysTree& tree, const char* file) {
  const auto text = tree.line(file);
  return text ? parse_cpu_list(*text).value_or(CpuSet()) : CpuSet();
}

/// As cpuset and affinity leave it to this process.
CpuSet allowed_cpus(const SysTree& tree) {
  const std::vector<std::string> words = tree.words("/proc/self/status");
  const auto key = std::find(words.begin(), words.end(), "Cpus_allowed_list:");
  if (key == words.end() || key + 1 == words.end()) return {};
  return parse_cpu_list(*(key + 1)).value_or(CpuSet());
}

std::vector<IdleState> idle_states(const SysTree& tree, int cpu) {
  std::vector<IdleState> states;
  const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpuidle";
  for (const std::string& state : tree.entries(folder, "state")) {
    const std::string at = folder + "/" + state;
    const auto name = tree.line(at + "/name");
    if (!name) continue;
    const auto figure = [&](const char* file) -> std::optional<std::int64_t> {
      const auto number = tree.number(at + file);
      return number && *number >= 0 ? number : std::nullopt;
    };
    states.push_back({.name = *name,
                      .latency_us = figure("/latency"),
                      .residency_us = figure("/residency"),
                      .time_us = figure("/time"),
                      .entered = figure("/usage"),
                      .disabled = figure("/disable").value_or(0) != 0});
  }
  return states;
}

/// Of the first CPU of every policy: the cores of one clock are of one kind.
std::vector<IdleTable> idle_tables(const SysTree& tree, const LinuxMachine& machine) {
  std::vector<IdleTable> tables;
  const auto add = [&](const CpuSet& cpus) {
    IdleTable table{cpus, idle_states(tree, cpus.nth(0))};
    if (!table.states.empty()) tables.push_back(std::move(table));
  };
  for (const CpufreqPolicy& policy : machine.policies) add(policy.cpus);
  if (machine.policies.empty() && !machine.online.empty()) add(machine.online);
  return tables;
}

}  // namespace

bool LinuxMachine::places_by_energy() const {
  if (!energy_aware || policies.empty()) return false;
  return std::any_of(policies.begin(), policies.end(), [&](const CpufreqPolicy& policy) {
    return policy.capacity != policies.front().capacity;
  });
}

bool LinuxMachine::on_battery() const {
  return std::any_of(supplies.begin(), supplies.end(), [](const PowerSupply& supply) {
    return supply.of_system && supply.type == "Battery" && supply.status == "Discharging";
  });
}

bool is_confined(const LinuxMachine& machine) {
  return !machine.allowed.empty() && !machine.online.empty() &&
         machine.online.first_missing_in(machine.allowed) >= 0;
}

LinuxMachine discover_machine(const SysTree& tree) {
  LinuxMachine machine;
  machine.kernel = tree.line("/proc/sys/kernel/osrelease").value_or("");
  machine.model = tree.line("/proc/device-tree/model")
                      .value_or(tree.line("/sys/class/dmi/id/product_name").value_or(""));
  machine.possible = cpu_list(tree, "/sys/devices/system/cpu/possible");
  machine.online = cpu_list(tree, "/sys/devices/system/cpu/online");
  machine.allowed = allowed_cpus(tree);
  machine.quota = read_cpu_quota(tree.root());
  machine.cpufreq_folder = tree.exists("/sys/devices/system/cpu/cpufreq");
  machine.policies = discover_cpufreq(tree);
  machine.devfreq = discover_devfreq(tree);
  discover_thermal(tree, machine);
  machine.power = discover_power(tree);
  machine.energy_models = discover_energy_models(tree);
  machine.supplies = discover_supplies(tree);
  machine.idle = idle_tables(tree, machine);
  for (const char* resource : {"cpu", "memory", "io"}) {
    if (tree.line(std::string("/proc/pressure/") + resource)) machine.pressure.push_back(resource);
  }
  machine.rivals = find_rivals(tree);
  machine.uclamp = tree.exists("/proc/sys/kernel/sched_util_clamp_max");
  machine.energy_aware = tree.number("/proc/sys/kernel/sched_energy_aware").value_or(0) != 0;
  return machine;
}

}  // namespace flyball
