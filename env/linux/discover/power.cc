#include <algorithm>

#include "env/linux/discover/linux_machine.h"

namespace flyball {
namespace {

void add(const SysTree& tree, PowerSensor::Kind kind, std::string rail, std::string file,
         std::vector<PowerSensor>& sensors) {
  if (!tree.exists(file)) return;
  const bool readable = tree.line(file).has_value();
  sensors.push_back({kind, std::move(rail), std::move(file), 0, readable});
}

/// Whole packages, "intel-rapl:0"; their parts ("intel-rapl:0:1") are in them. The same counters may
/// show under MMIO a second time.
void add_rapl(const SysTree& tree, std::vector<PowerSensor>& sensors) {
  for (const std::string& zone : tree.entries("/sys/class/powercap", "intel-rapl:")) {
    if (std::count(zone.begin(), zone.end(), ':') != 1) continue;
    const std::string folder = "/sys/class/powercap/" + zone;
    const std::string rail = tree.line(folder + "/name").value_or(zone);
    const std::size_t before = sensors.size();
    add(tree, PowerSensor::Kind::kRapl, rail, folder + "/energy_uj", sensors);
    if (sensors.size() == before) continue;
    sensors.back().wraps_at_uj = tree.number(folder + "/max_energy_range_uj").value_or(0);
  }
}

/// The four of an Odroid XU3, told apart by their address; the bus has another number under each
/// kernel.
void add_ina231(const SysTree& tree, std::vector<PowerSensor>& sensors) {
  constexpr const char* kDriver = "/sys/bus/i2c/drivers/INA231";
  constexpr std::pair<const char*, const char*> kRails[] = {
      {"-0040", "A15"}, {"-0041", "memory"}, {"-0044", "GPU"}, {"-0045", "A7"}};
  for (const std::string& device : tree.entries(kDriver)) {
    for (const auto& [address, rail] : kRails) {
      if (!device.ends_with(address)) continue;
      add(tree, PowerSensor::Kind::kIna231, rail, std::string(kDriver) + "/" + device + "/sensor_W",
          sensors);
    }
  }
}

/// Of a Jetson: the vendor's driver names the rails, and counts in mW.
void add_ina3221(const SysTree& tree, std::vector<PowerSensor>& sensors) {
  constexpr const char* kDriver = "/sys/bus/i2c/drivers/ina3221x";
  for (const std::string& device : tree.entries(kDriver)) {
    const std::string base = std::string(kDriver) + "/" + device;
    for (const std::string& part : tree.entries(base, "iio")) {
      for (int i = 0; i < 3; ++i) {
        const std::string channel = base + "/" + part + "/";
        const std::string rail =
            tree.line(channel + "rail_name_" + std::to_string(i)).value_or(std::to_string(i));
        add(tree, PowerSensor::Kind::kIna3221, rail,
            channel + "in_power" + std::to_string(i) + "_input", sensors);
      }
    }
  }
}

void add_hwmon(const SysTree& tree, std::vector<PowerSensor>& sensors) {
  for (const std::string& chip : tree.entries("/sys/class/hwmon", "hwmon")) {
    const std::string folder = "/sys/class/hwmon/" + chip;
    const std::string name = tree.line(folder + "/name").value_or(chip);
    for (const std::string& file : tree.entries(folder, "power")) {
      if (!file.ends_with("_input") && !file.ends_with("_average")) continue;
      const std::string number = file.substr(0, file.find('_'));
      const std::string label = tree.line(folder + "/" + number + "_label").value_or(number);
      add(tree, PowerSensor::Kind::kHwmon, name + " " + label, folder + "/" + file, sensors);
    }
  }
}

}  // namespace

std::vector<PowerSensor> discover_power(const SysTree& tree) {
  std::vector<PowerSensor> sensors;
  add_ina231(tree, sensors);
  add_ina3221(tree, sensors);
  add_rapl(tree, sensors);
  add_hwmon(tree, sensors);
  for (const PowerSupply& supply : discover_supplies(tree)) {
    if (supply.type != "Battery" || !supply.of_system) continue;
    add(tree, PowerSensor::Kind::kBattery, "battery " + supply.name,
        "/sys/class/power_supply/" + supply.name + "/power_now", sensors);
  }
  return sensors;
}

std::vector<PowerSupply> discover_supplies(const SysTree& tree) {
  std::vector<PowerSupply> supplies;
  for (const std::string& name : tree.entries("/sys/class/power_supply")) {
    const std::string folder = "/sys/class/power_supply/" + name;
    PowerSupply supply;
    supply.name = name;
    supply.type = tree.line(folder + "/type").value_or("");
    if (supply.type.empty()) continue;
    supply.status = tree.line(folder + "/status").value_or("");
    supply.capacity_pct = tree.number(folder + "/capacity");
    // A mouse's, keyboard's or headset's battery has the scope of its device; older drivers do not
    // say so, and are known by their names.
    const bool device = tree.line(folder + "/scope").value_or("System") == "Device" ||
                        name.starts_with("hid") || name.starts_with("wacom");
    supply.of_system = !device;
    if (const auto online = tree.number(folder + "/online")) supply.online = *online != 0;
    supplies.push_back(std::move(supply));
  }
  return supplies;
}

}  // namespace flyball
