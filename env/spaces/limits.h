#pragma once

namespace flyball {

// Capacities of the fixed-size arrays that an epoch works on, so that nothing in it allocates.
// A platform or scenario file that exceeds one is refused when it is loaded.
inline constexpr int kMaxClusters = 4;  // Exynos 5422 needs 3 (A15, A7, Mali)
inline constexpr int kMaxApps = 4;
inline constexpr int kMaxOpps = 32;      // Exynos 5422 A15 has 19
inline constexpr int kMaxLevels = 8;     // the dynamic CNN has 4, each in fp32 and int8
inline constexpr int kMaxMappings = 64;  // 4+4 cores give 24
inline constexpr int kMaxEpochJobs = 32;

}  // namespace flyball
