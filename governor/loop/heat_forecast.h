#pragma once

#include <cstdint>

#include "env/model/platform_spec.h"
#include "env/model/thermal.h"
#include "env/spaces/observation.h"

namespace flyball {

/// How hot a platform gets with some more power, by the thermal network that is believed, the power
/// that was seen and the temperatures that are. What else warms a node (the ambient, the case) is in its
/// temperature already.
class HeatForecast {
 public:
  explicit HeatForecast(const PlatformSpec& believed) : platform_(believed) {}
  /// Takes in an epoch. Cheap: the network steps every kStepS only.
  void note(const Observation& outcome) noexcept;
  /// How likely a trip point is reached within `seconds` when the platform takes `more_mw` more than
  /// lately, with a standard deviation of `sd_mw`; 0 when it takes no more.
  double exceeded(const Observation& now, double more_mw, double sd_mw,
                  double seconds) const noexcept;

 private:
  static constexpr double kStepS = 0.25;  // as often as trip points are looked at
  static constexpr double kLatelyS = 2;
  static constexpr double kSensorK = 0.5;  // that a temperature is off anyway

  const PlatformSpec& platform_;
  ThermalState state_;  ///< its powers; of the temperatures nothing is used
  double pending_mj_ = 0, pending_s_ = 0;
  double lately_w_ = 0;
  bool known_ = false;
};

}  // namespace flyball
