#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "env/spaces/limits.h"

namespace flyball {

/// What the user may set while a Linux machine is governed. A plain value.
struct LinuxTuning {
  std::int64_t epoch_ns = 0;  ///< 0: as the agent asks
  std::optional<double>
      preference;  ///< 0 performance first, 1 battery first; none: as the jobs' scenario says, else 0.5
  /// Per cluster; 0: none. Heat has the last word.
  std::array<std::int64_t, kMaxClusters> min_khz{}, max_khz{};
};

}  // namespace flyball
