#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "env/spaces/limits.h"

namespace flyball {

/// What one application is asked to do from its next job on. Both are indices: `mapping` into
/// `PlatformSpec::mappings`, `level` into `AppProfile::levels`: a value of each
/// of the application's own knobs.
struct AppSetting {
  std::uint8_t mapping = 0;
  std::uint8_t level = 0;
  friend bool operator==(const AppSetting&, const AppSetting&) = default;
};

/// A value for every knob. `opp[c]` indexes `ClusterSpec::opps` (ascending frequency), `app[a]` is
/// of slot a of the roster. Entries past the platform's clusters and of free slots stay zero, so
/// actions compare bytewise.
struct Action {
  std::array<std::uint8_t, kMaxClusters> opp{};
  std::array<AppSetting, kMaxApps> app{};
  friend bool operator==(const Action& a, const Action& b) {
    static_assert(std::has_unique_object_representations_v<Action>);
    return std::memcmp(&a, &b, sizeof a) == 0;
  }
};

}  // namespace flyball
