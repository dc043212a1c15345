#pragma once

#include "env/model/platform_spec.h"

namespace flyball {

// How cpufreq resolves a wanted frequency to an operating point, always at or below `cap`.

/// The lowest OPP of at least `khz` (CPUFREQ_RELATION_L); the cap when there is none.
int lowest_at_least(const ClusterSpec& cluster, double khz, int cap);
/// The highest OPP of at most `khz` (CPUFREQ_RELATION_H); the lowest OPP when there is none.
int highest_at_most(const ClusterSpec& cluster, double khz, int cap);
/// The closest OPP (CPUFREQ_RELATION_C); the lower one of two that are equally close.
int closest(const ClusterSpec& cluster, double khz, int cap);

}  // namespace flyball
