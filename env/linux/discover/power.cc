#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string_view>
#include <utility>

#include "env/linux/discover/linux_machine.h"

namespace flyball {
namespace {

void add(const SysTree& tree, PowerSensor::Kind kind, std::string rail, std::string file,
         std::vector<PowerSensor>& sensors) {
  if (!tree.exists(file)) return;
  PowerSensor sensor;
  sensor.kind = kind;
  sensor.rail = std::move(rail);
  sensor.readable = tree.line(file).has_value();
  sensor.file = std::move(file);
  sensors.push_back(std::move(sensor));
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
constexpr std::pair<const char*, const char*> kRailsOfXu3[] = {
    {"-0040", "A15"}, {"-0041", "memory"}, {"-0044", "GPU"}, {"-0045", "A7"}};

void add_ina231(const SysTree& tree, std::vector<PowerSensor>& sensors) {
  constexpr const char* kDriver = "/sys/bus/i2c/drivers/INA231";
  for (const std::string& device : tree.entries(kDriver)) {
    for (const auto& [address, rail] : kRailsOfXu3) {
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

/// Chips that are soldered to a board to measure its rails, by the names that their drivers in Linux
/// give them. Graphics cards, disks, supplies and batteries have others.
bool measures_a_board(std::string_view chip) {
  constexpr std::string_view kChips[] = {"ina209",  "ina219",  "ina220",  "ina226",  "ina228",
                                         "ina230",  "ina231",  "ina232",  "ina233",  "ina234",
                                         "ina237",  "ina238",  "ina260",  "ina3221", "ina2xx",
                                         "ltc2945", "ltc2990", "pac1934", "pac1921"};
  return std::find(std::begin(kChips), std::end(kChips), chip) != std::end(kChips);
}

/// By the names that boards give it: "VDD_IN", "POM_5V_IN", "VIN", "total".
bool is_input(std::string label) {
  for (char& c : label) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return label.ends_with("_IN") || label == "VIN" || label == "IN" || label == "INPUT" ||
         label == "TOTAL";
}

/// The rail that a chip of its own measures: what the board calls it, on an Odroid XU3 what its address
/// tells, else the address.
std::string rail_of_chip(const SysTree& tree, const std::string& folder, const std::string& chip) {
  if (const auto label = tree.line(folder + "/label"); label && !label->empty()) return *label;
  const std::string device = tree.link_name(folder + "/device");  // "3-0040", an address of I2C
  const std::string model = tree.line("/proc/device-tree/model").value_or("");
  if (model.find("XU3") != model.npos) {
    for (const auto& [address, rail] : kRailsOfXu3)
      if (device.ends_with(address)) return rail;
  }
  return device.empty() ? chip : chip + " " + device;
}

/// A channel that tells volts and amperes, "in1_input" and "curr1_input": the INA3221 has three.
void add_product(const SysTree& tree, const std::string& folder, const std::string& chip,
                 int channel, std::vector<PowerSensor>& sensors) {
  const auto file = [&](const char* kind, const char* what) {
    return fmt::format("{}/{}{}_{}", folder, kind, channel, what);
  };
  const std::string volts = file("in", "input"), amperes = file("curr", "input");
  if (!tree.exists(volts) || !tree.exists(amperes)) return;
  if (tree.number(file("in", "enable")).value_or(1) == 0) return;
  PowerSensor sensor;
  sensor.kind = PowerSensor::Kind::kHwmon;
  sensor.rail =
      tree.line(file("curr", "label"))
          .value_or(
              tree.line(file("in", "label")).value_or(fmt::format("{} channel {}", chip, channel)));
  sensor.input = is_input(sensor.rail);
  sensor.of_board = true;
  sensor.readable = tree.line(volts).has_value() && tree.line(amperes).has_value();
  sensor.file = volts;
  sensor.current_file = amperes;
  sensors.push_back(std::move(sensor));
}

void add_hwmon(const SysTree& tree, std::vector<PowerSensor>& sensors) {
  for (const std::string& chip : tree.entries("/sys/class/hwmon", "hwmon")) {
    const std::string folder = "/sys/class/hwmon/" + chip;
    const std::string name = tree.line(folder + "/name").value_or(chip);
    const bool of_board = measures_a_board(name);
    bool tells_power =
        false;  // "power" alone is every device's folder for runtime power management
    for (const std::string& file : tree.entries(folder, "power")) {
      if (!file.ends_with("_input") && !file.ends_with("_average")) continue;
      tells_power = true;
      const std::string number = file.substr(0, file.find('_'));
      const auto label = tree.line(folder + "/" + number + "_label");
      // An average beside a value of now is of the same rail.
      if (file.ends_with("_average") && tree.exists(folder + "/" + number + "_input")) continue;
      std::string rail = label                ? *label
                         : number == "power1" ? rail_of_chip(tree, folder, name)
                                              : "";
      if (!of_board || rail.empty()) rail = name + " " + label.value_or(number);
      const bool input = is_input(rail);
      add(tree, PowerSensor::Kind::kHwmon, std::move(rail), folder + "/" + file, sensors);
      sensors.back().of_board = of_board;
      sensors.back().input = of_board && input;
    }
    for (int channel = 1; of_board && !tells_power && channel <= 3; ++channel)
      add_product(tree, folder, name, channel, sensors);
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
    const auto has = [&](const char* file) { return tree.number(folder + file).value_or(0) > 0; };
    supply.tells_energy = has("/energy_full") || (has("/charge_full") && has("/voltage_now"));
    supplies.push_back(std::move(supply));
  }
  return supplies;
}

}  // namespace flyball
