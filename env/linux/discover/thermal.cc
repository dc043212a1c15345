#include "env/linux/discover/linux_machine.h"

namespace flyball {
namespace {

constexpr const char* kThermal = "/sys/class/thermal";

/// Zones are named freely: "cpu-thermal", "cpu0-thermal", "x86_pkg_temp", "soc-thermal",
/// "big-core-thermal", "CPU-therm".
bool is_of_cpu(const std::string& type) {
  std::string lower;
  for (const char c : type) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  for (const char* mark : {"cpu", "pkg", "soc", "big", "little", "core", "package"}) {
    if (lower.find(mark) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

void discover_thermal(const SysTree& tree, LinuxMachine& machine) {
  for (const std::string& name : tree.entries(kThermal, "thermal_zone")) {
    ThermalZone zone;
    zone.name = name;
    zone.folder = std::string(kThermal) + "/" + name;
    const auto at = [&](const std::string& file) { return zone.folder + "/" + file; };
    zone.type = tree.line(at("type")).value_or("");
    zone.governor = tree.line(at("policy")).value_or("");
    zone.temp_mc = tree.number(at("temp"));
    zone.of_cpu = is_of_cpu(zone.type);
    for (int i = 0;; ++i) {
      const std::string trip = "trip_point_" + std::to_string(i);
      const auto type = tree.line(at(trip + "_type"));
      const auto temp_mc = tree.number(at(trip + "_temp"));
      if (!type || i >= 32) break;  // Linux has at most 12
      // Firmware writes 0 or less, or -273 C, for a trip that does not exist.
      if (temp_mc && *temp_mc > 0) zone.trips.push_back({*type, *temp_mc});
    }
    if (!zone.type.empty()) machine.zones.push_back(std::move(zone));
  }
  for (const std::string& name : tree.entries(kThermal, "cooling_device")) {
    const std::string folder = std::string(kThermal) + "/" + name;
    const auto type = tree.line(folder + "/type");
    if (!type) continue;
    machine.cooling.push_back({name, *type, tree.number(folder + "/cur_state").value_or(0),
                               tree.number(folder + "/max_state").value_or(0)});
  }
}

}  // namespace flyball
