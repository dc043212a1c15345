#include "env/scenario/load_sensors.h"

#include <cmath>

namespace flyball {
namespace {

constexpr double kMostDelayMs = 1000;  // what FaultySensors remembers of epochs of 4 ms

void load_times(const YamlMap& sensor, double duration_s, std::int64_t& delay_ns,
                std::int64_t& stuck_from_ns, std::int64_t& lost_from_ns, std::int64_t& back_ns) {
  delay_ns = std::llround(sensor.number_or("delay_ms", 0, 0, kMostDelayMs) * 1e6);
  if (sensor.has("stuck_at_s"))
    stuck_from_ns = std::llround(sensor.number("stuck_at_s", 0, duration_s) * 1e9);
  if (sensor.has("lost_at_s"))
    lost_from_ns = std::llround(sensor.number("lost_at_s", 0, duration_s) * 1e9);
  if (!sensor.has("back_at_s")) return;
  if (lost_from_ns < 0)
    input_error(sensor.where("back_at_s"), "it was never lost",
                "say when with 'lost_at_s', or remove 'back_at_s'");
  back_ns = std::llround(sensor.number("back_at_s", 0, duration_s) * 1e9);
  if (back_ns <= lost_from_ns)
    input_error(sensor.where("back_at_s"), "it is not after 'lost_at_s'",
                "let it come back later, or remove it");
}

}  // namespace

SensorFaults load_sensors(const YamlMap& root, std::int64_t duration_ns) {
  SensorFaults faults;
  if (!root.has("sensors")) return faults;
  const double duration_s = static_cast<double>(duration_ns) * 1e-9;
  const YamlMap sensors = root.map("sensors", {"power", "temperature"});
  if (sensors.has("power")) {
    const YamlMap power =
        sensors.map("power", {"noise_pct", "delay_ms", "stuck_at_s", "lost_at_s", "back_at_s"});
    faults.noise = power.number_or("noise_pct", 0, 0, 100) / 100;
    load_times(power, duration_s, faults.delay_ns, faults.stuck_from_ns, faults.lost_from_ns,
               faults.back_ns);
  }
  if (sensors.has("temperature")) {
    const YamlMap temperature =
        sensors.map("temperature", {"noise_c", "delay_ms", "stuck_at_s", "lost_at_s", "back_at_s"});
    faults.temp_noise_c = temperature.number_or("noise_c", 0, 0, 50);
    load_times(temperature, duration_s, faults.temp_delay_ns, faults.temp_stuck_from_ns,
               faults.temp_lost_from_ns, faults.temp_back_ns);
  }
  if (!faults.any()) {
    input_error(root.where("sensors"), "nothing is wrong with any sensor",
                "give 'power' or 'temperature' a fault, or remove it");
  }
  return faults;
}

}  // namespace flyball
