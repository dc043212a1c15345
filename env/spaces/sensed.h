#pragma once

#include <cstdint>

namespace flyball {

/// Which readings of an epoch are not of it, a bit per sensor. Counters have bits of their own.
struct Sensed {
  static constexpr std::uint8_t kPower = 1, kTemp = 2, kClock = 4, kLoad = 8;
  /// What stands there was read in an earlier epoch: the sensor failed, or it is a CPU's that slept
  /// and is not woken to be looked at.
  std::uint8_t held = 0;
  /// Nothing was read, now or not long ago: what stands there is assumed, or a model's.
  std::uint8_t absent = 0;

  void mark_held(std::uint8_t sensors) {
    held = static_cast<std::uint8_t>(held | sensors);
    absent = static_cast<std::uint8_t>(absent & ~sensors);
  }
  void mark_absent(std::uint8_t sensors) {
    absent = static_cast<std::uint8_t>(absent | sensors);
    held = static_cast<std::uint8_t>(held & ~sensors);
  }
  bool fresh(std::uint8_t sensors) const { return ((held | absent) & sensors) == 0; }
};

/// How often in a row a sensor may fail before what it said last is not repeated any more: longer than a hiccup,
/// shorter than the half second at 20 epochs a second after which an old value misleads.
inline constexpr int kMaxHeldReadings = 8;

}  // namespace flyball
