#pragma once

#include <cstdint>

namespace flyball {

/// What is wrong with a board's sensors of power and temperature.
struct SensorFaults {
  double noise = 0;                 ///< of a reading, relative, one standard deviation
  std::int64_t delay_ns = 0;        ///< a reading is what there was so long ago
  std::int64_t stuck_from_ns = -1;  ///< from then on it shows one value; negative: never
  std::int64_t lost_from_ns = -1;   ///< from then on, until it is back, it says nothing; negative: never
  std::int64_t back_ns = -1;        ///< negative: never
  bool present = true;              ///< false: power is the belief's model of what is seen
  // The same of temperatures.
  double temp_noise_c = 0;
  std::int64_t temp_delay_ns = 0;
  std::int64_t temp_stuck_from_ns = -1;
  std::int64_t temp_lost_from_ns = -1, temp_back_ns = -1;

  /// Whether something can be learned from its power.
  bool observable() const { return present && stuck_from_ns < 0; }
  bool of_power() const {
    return !present || noise > 0 || delay_ns > 0 || stuck_from_ns >= 0 || lost_from_ns >= 0;
  }
  bool of_temperature() const {
    return temp_noise_c > 0 || temp_delay_ns > 0 || temp_stuck_from_ns >= 0 || temp_lost_from_ns >= 0;
  }
  bool power_lost(std::int64_t now_ns) const { return within(lost_from_ns, back_ns, now_ns); }
  bool temp_lost(std::int64_t now_ns) const {
    return within(temp_lost_from_ns, temp_back_ns, now_ns);
  }
  bool any() const { return of_power() || of_temperature(); }

 private:
  static bool within(std::int64_t from_ns, std::int64_t back_ns, std::int64_t now_ns) {
    return from_ns >= 0 && now_ns >= from_ns && (back_ns < 0 || now_ns < back_ns);
  }
};

}  // namespace flyball
