#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "env/linux/discover/linux_machine.h"
#include "env/linux/sense/held_file.h"

namespace flyball {

/// Power by the sensors of a machine that speak of most of it: the rails of a board, or the input from
/// which they are fed, the packages of a PC, or the battery while it discharges. Several are added up. Figures of different rails cannot
/// be compared, so whoever shows one names it.
class PowerReading {
 public:
  PowerReading(const SysTree& tree, const LinuxMachine& machine, SettingCalls& calls);
  /// One sensor by itself, of any kind.
  PowerReading(const SysTree& tree, const PowerSensor& sensor, SettingCalls& calls);

  bool measures() const { return !sensors_.empty(); }
  /// "rails A15, memory, GPU, A7 by INA231", or empty.
  const std::string& source() const { return source_; }
  /// Else its figure is of the moment.
  bool counts_energy() const {
    return measures() && sensors_.front().kind == PowerSensor::Kind::kRapl;
  }
  /// What sensors counted so far is forgotten: the next reading tells nothing of those.
  void begin_anew() noexcept {
    for (Sensor& sensor : sensors_) sensor.last_uj = -1;
  }
  /// Mean since the last reading where a sensor counts energy, else as of now. False, and `mw` as it
  /// was, when one of them does not answer.
  bool read(std::int64_t now_ns, double& mw) noexcept;

 private:
  struct Sensor {
    HeldFile file;
    std::optional<HeldFile> current;
    PowerSensor::Kind kind;
    double wraps_at_uj;
    double last_uj;  ///< negative: not read yet
  };
  void add(const SysTree& tree, const PowerSensor& sensor, SettingCalls& calls);

  std::vector<Sensor> sensors_;
  std::string source_;
  std::int64_t read_ns_ = 0;
};

}  // namespace flyball
