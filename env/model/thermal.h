#pragma once

#include <array>

#include "env/model/platform_spec.h"

namespace flyball {

inline constexpr int kMaxThermalNodes = 4;
inline constexpr int kMaxThermalTerms = 4;

/// Temperatures and the throttling that follows from them. Const spec, mutable state, no
/// allocation.
struct ThermalState {
  double ambient_c = 25;
  std::array<std::array<double, kMaxThermalTerms>, kMaxThermalNodes>
      filtered_w{};  ///< total power, low-passed
  std::array<double, kMaxThermalNodes> temp_c{};
  std::array<std::uint8_t, 16> tripped{};  ///< per trip point
  std::array<std::uint8_t, kMaxClusters> opp_cap{};
};

/// Settled at `total_w`.
void thermal_reset(const PlatformSpec& spec, double ambient_c, double total_w, ThermalState& state);
/// Exact for constant power over `dt_s`, whatever its length.
void thermal_advance(const PlatformSpec& spec, double total_w, double dt_s, ThermalState& state);
/// The trip points' verdict; called every trip_poll_ms.
void thermal_poll_trips(const PlatformSpec& spec, ThermalState& state);
/// Hottest node of a cluster; the ambient when it has none.
double cluster_temp_c(const PlatformSpec& spec, const ThermalState& state, int cluster);

}  // namespace flyball
