#include "env/linux/sense/battery_reading.h"

#include <algorithm>
#include <string_view>

namespace flyball {

BatteryReading::BatteryReading(const SysTree& tree, const LinuxMachine& machine,
                               SettingCalls& calls) {
  for (const PowerSupply& supply : machine.supplies) {
    if (supply.type != "Battery" || !supply.of_system) continue;
    const auto file = [&](const char* name) {
      return HeldFile(calls, tree.path("/sys/class/power_supply/" + supply.name + "/" + name));
    };
    batteries_.push_back({file("status"), file("capacity"), file("energy_now"), file("energy_full"),
                          file("charge_now"), file("charge_full"), file("voltage_now")});
  }
  read();
}

double BatteryReading::energy_mj(HeldFile& energy, HeldFile& charge, HeldFile& voltage) noexcept {
  constexpr double kMjPerUwh = 3.6;
  double uwh = 0, uah = 0, uv = 0;
  if (energy.read_number(uwh)) return uwh >= 0 ? uwh * kMjPerUwh : std::nan("");
  if (!charge.read_number(uah) || !voltage.read_number(uv) || uah < 0 || !(uv > 0))
    return std::nan("");
  return uah * uv * 1e-6 * kMjPerUwh;
}

bool BatteryReading::read() noexcept {
  double left_mj = 0, full_mj = 0, sum_pct = 0;
  bool discharges = false;
  for (Battery& battery : batteries_) {
    char text[32];
    const ssize_t bytes = battery.status.read(text, sizeof text);
    const std::string_view status(text, static_cast<std::size_t>(std::max<ssize_t>(bytes, 0)));
    discharges = discharges || status.starts_with("Discharging");
    const double left = energy_mj(battery.energy, battery.charge, battery.voltage);
    const double full = energy_mj(battery.energy_full, battery.charge_full, battery.voltage);
    left_mj += left;
    full_mj += full;
    double pct = 0;
    if (!battery.capacity.read_number(pct)) {
      if (!(full > 0) || !std::isfinite(left)) return false;
      pct = 100 * left / full;
    }
    sum_pct += std::clamp(pct, 0.0, 100.0);
  }
  if (batteries_.empty()) return false;
  discharges_ = discharges;
  left_mj_ = left_mj;
  // Of several that tell energy, by what each holds.
  charge_pct_ = batteries_.size() > 1 && full_mj > 0 && std::isfinite(left_mj)
                    ? std::clamp(100 * left_mj / full_mj, 0.0, 100.0)
                    : sum_pct / static_cast<double>(batteries_.size());
  return true;
}

}  // namespace flyball
