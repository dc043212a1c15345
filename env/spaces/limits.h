#pragma once

namespace flyball {

// Capacities of the fixed-size arrays that an epoch works on, so that nothing in it allocates.
// A platform or scenario file that exceeds one is refused when it is loaded.
inline constexpr int kMaxClusters = 8;  // Exynos 5422 needs 3 (A15, A7, Mali)
inline constexpr int kMaxApps = 64;     // slots of the roster
inline constexpr int kMaxOpps = 64;     // Exynos 5422 A15 has 19
inline constexpr int kMaxQualityKnobs = 4;  // of an application's own
inline constexpr int kMaxKnobValues = 260;  // of these together
inline constexpr int kMaxLevels = 256;      // combinations of them
inline constexpr int kMaxMappings = 255;  // 4+4 cores give 24; see make_mappings() for more cores
inline constexpr int kMaxQueue = 16;      // the longest queue that an application can ask for
inline constexpr int kMaxEpochJobs = 32;
inline constexpr int kMaxForecasts = kMaxApps;  // in one decision

}  // namespace flyball
