#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flyball {

enum class PowerProfile : std::uint8_t { kPowerSaver, kBalanced, kPerformance };
const char* profile_name(PowerProfile profile);
std::optional<PowerProfile> profile_named(std::string_view name);

/// What the governor prefers under it: 0 performance first, 1 battery first.
double preference_of(PowerProfile profile, bool on_battery);

/// Which power profile is active: the one that the user selected, or one that programs hold, by the
/// rules of power-profiles-daemon 0.2x:
/// - power-saver is held before performance, whoever came first;
/// - when the last hold goes, what the user selected last is active again;
/// - when the user selects another profile than the active one, all holds are released.
class ProfileHolds {
 public:
  struct Hold {
    PowerProfile profile = PowerProfile::kBalanced;
    std::string reason, application;
    std::string requester;  ///< on the bus; the hold ends with it
    bool legacy = false;    ///< it asked by the old interface, and is told by that
  };
  /// What those who listen are to be told.
  struct Change {
    bool active = false, holds = false;
    std::vector<std::pair<std::uint32_t, Hold>> released;
  };

  PowerProfile active() const { return active_; }
  const std::map<std::uint32_t, Hold>& holds() const { return holds_; }

  Change select(PowerProfile profile);
  /// `profile` is not balanced. The cookie is never 0.
  std::uint32_t hold(Hold hold, Change& change);
  bool has(std::uint32_t cookie) const { return holds_.count(cookie) > 0; }
  Change release(std::uint32_t cookie);
  Change requester_gone(std::string_view requester);

 private:
  std::optional<PowerProfile> held() const;
  bool activate(PowerProfile profile);

  PowerProfile active_ = PowerProfile::kBalanced, selected_ = PowerProfile::kBalanced;
  std::map<std::uint32_t, Hold> holds_;
  std::uint32_t last_cookie_ = 0;
};

}  // namespace flyball
