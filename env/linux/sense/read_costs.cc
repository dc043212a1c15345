#include "env/linux/sense/read_costs.h"

#include <algorithm>
#include <array>
#include <utility>

#include "env/linux/sense/held_file.h"
#include "kernels/base/clock.h"

namespace flyball {
namespace {

constexpr int kRounds = 9;

ReadCost cost_of(std::string what, const char* when, const SysTree& tree,
                 const std::vector<std::string>& names, SettingCalls& calls) {
  ReadCost cost{std::move(what), 0, 0, when};
  std::vector<HeldFile> files;
  std::array<char, 1 << 16> text;
  for (const std::string& name : names) {
    HeldFile file(calls, tree.path(name));
    if (file.read(text.data(), text.size()) > 0) files.push_back(std::move(file));
  }
  cost.files = static_cast<int>(files.size());
  if (files.empty()) return cost;
  std::vector<double> us;
  for (int round = 0; round < kRounds; ++round) {
    for (HeldFile& file : files) {
      const std::int64_t begin_ns = monotonic_ns();
      file.read(text.data(), text.size());
      us.push_back(static_cast<double>(monotonic_ns() - begin_ns) * 1e-3);
    }
  }
  const auto middle = us.begin() + static_cast<std::ptrdiff_t>(us.size() / 2);
  std::nth_element(us.begin(), middle, us.end());
  cost.us_a_file = *middle;
  return cost;
}

}  // namespace

std::vector<ReadCost> measure_read_costs(const SysTree& tree, const LinuxMachine& machine,
                                         SettingCalls& calls) {
  std::vector<std::string> clocks, limits, zones, rails, idle;
  for (const CpufreqPolicy& policy : machine.policies) {
    clocks.push_back(policy.folder + "/scaling_cur_freq");
    limits.push_back(policy.folder + "/scaling_max_freq");
  }
  for (const ThermalZone& zone : machine.zones)
    if (zone.of_cpu) zones.push_back(zone.folder + "/temp");
  for (const PowerSensor& sensor : machine.power) {
    rails.push_back(sensor.file);
    if (!sensor.current_file.empty()) rails.push_back(sensor.current_file);
  }
  for (const IdleTable& table : machine.idle) {
    for (std::size_t state = 0; state < table.states.size(); ++state)
      idle.push_back("/sys/devices/system/cpu/cpu" + std::to_string(table.cpus.nth(0)) +
                     "/cpuidle/state" + std::to_string(state) + "/time");
  }
  std::vector<ReadCost> costs;
  const auto add = [&](const char* what, const char* when, const std::vector<std::string>& names) {
    if (ReadCost cost = cost_of(what, when, tree, names, calls); cost.files > 0)
      costs.push_back(std::move(cost));
  };
  add("load", "every epoch", {"/proc/stat"});
  add("clocks", "every epoch, where it is busy", clocks);
  add("power", "ten times a second, the best kind", rails);
  add("temperatures", "once a second", zones);
  add("limits", "once a second", limits);
  add("idle states", "once a second", idle);
  return costs;
}

}  // namespace flyball
