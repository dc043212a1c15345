#include "env/linux/sense/power_reading.h"

#include <algorithm>
#include <utility>

namespace flyball {
namespace {

using Kind = PowerSensor::Kind;

/// The best kind there is.
const Kind kOrder[] = {Kind::kIna231, Kind::kIna3221, Kind::kRapl, Kind::kHwmon, Kind::kBattery};

const char* by(Kind kind) {
  switch (kind) {
    case Kind::kIna231:
      return "INA231";
    case Kind::kIna3221:
      return "INA3221";
    case Kind::kRapl:
      return "RAPL";
    case Kind::kHwmon:
      return "hwmon";
    default:
      return "its gauge";
  }
}

/// Of a sensor's number; RAPL counts energy.
double to_mw(Kind kind, double value) {
  switch (kind) {
    case Kind::kIna231:
      return value * 1e3;
    case Kind::kIna3221:
      return value;
    default:
      return value * 1e-3;
  }
}

}  // namespace

PowerReading::PowerReading(const SysTree& tree, const LinuxMachine& machine, SettingCalls& calls) {
  const bool has_input =
      std::any_of(machine.power.begin(), machine.power.end(), [](const PowerSensor& sensor) {
        return sensor.kind == Kind::kHwmon && sensor.of_board && sensor.input && sensor.readable;
      });
  for (const Kind kind : kOrder) {
    if (kind == Kind::kBattery && !machine.on_battery()) continue;
    for (const PowerSensor& sensor : machine.power) {
      if (sensor.kind != kind || !sensor.readable) continue;
      // Of a package, not of the platform that the packages are in, nor of memory beside them.
      if (kind == Kind::kRapl && !sensor.rail.starts_with("package")) continue;
      // The first rail is the input, from which the others are fed.
      if (kind == Kind::kIna3221 && !sensors_.empty()) continue;
      // Other chips are of graphics cards, disks and supplies.
      if (kind == Kind::kHwmon && (!sensor.of_board || sensor.input != has_input)) continue;
      add(tree, sensor, calls);
    }
    if (sensors_.empty()) continue;
    source_ = (sensors_.size() == 1 ? "rail " : "rails ") + source_ + " by " + by(kind);
    return;
  }
}

PowerReading::PowerReading(const SysTree& tree, const PowerSensor& sensor, SettingCalls& calls) {
  add(tree, sensor, calls);
  source_ = "rail " + source_ + " by " + by(sensor.kind);
}

void PowerReading::add(const SysTree& tree, const PowerSensor& sensor, SettingCalls& calls) {
  source_ += (sensors_.empty() ? "" : ", ") + sensor.rail;
  std::optional<HeldFile> current;
  if (!sensor.current_file.empty()) current.emplace(calls, tree.path(sensor.current_file));
  sensors_.push_back({HeldFile(calls, tree.path(sensor.file)), std::move(current), sensor.kind,
                      static_cast<double>(sensor.wraps_at_uj), -1});
}

bool PowerReading::read(std::int64_t now_ns, double& mw) noexcept {
  const auto span_ns = static_cast<double>(now_ns - read_ns_);
  double sum_mw = 0;
  bool complete = !sensors_.empty();
  for (Sensor& sensor : sensors_) {
    double value = 0;
    if (!sensor.file.read_number(value) || value < 0) {
      complete = false;
      sensor.last_uj = -1;
      continue;
    }
    if (sensor.kind != Kind::kRapl) {
      double ma = 1;
      if (sensor.current && !sensor.current->read_number(ma)) complete = false;
      sum_mw += to_mw(sensor.kind, value * ma);  // mV times mA are uW
      continue;
    }
    double used_uj = value - sensor.last_uj;
    if (used_uj < 0) used_uj += sensor.wraps_at_uj;
    if (sensor.last_uj < 0 || used_uj < 0 || span_ns <= 0) {
      complete = false;  // the first reading tells nothing
    } else {
      sum_mw += used_uj * 1e6 / span_ns;
    }
    sensor.last_uj = value;
  }
  read_ns_ = now_ns;
  if (complete) mw = sum_mw;
  return complete;
}

}  // namespace flyball
