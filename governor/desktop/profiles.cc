#include "governor/desktop/profiles.h"

#include <array>

namespace flyball {
namespace {

constexpr std::array<const char*, 3> kNames = {"power-saver", "balanced", "performance"};

}  // namespace

const char* profile_name(PowerProfile profile) { return kNames[static_cast<std::size_t>(profile)]; }

std::optional<PowerProfile> profile_named(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<PowerProfile>(i);
  }
  return std::nullopt;
}

double preference_of(PowerProfile profile, bool on_battery) {
  switch (profile) {
    case PowerProfile::kPerformance:
      return 0;
    case PowerProfile::kBalanced:
      return on_battery ? 0.75 : 0.5;
    case PowerProfile::kPowerSaver:
      break;
  }
  return 1;
}

std::optional<PowerProfile> ProfileHolds::held() const {
  std::optional<PowerProfile> profile;
  for (const auto& [cookie, hold] : holds_) {
    if (hold.profile == PowerProfile::kPowerSaver) return hold.profile;
    profile = hold.profile;
  }
  return profile;
}

bool ProfileHolds::activate(PowerProfile profile) {
  const bool changes = active_ != profile;
  active_ = profile;
  return changes;
}

ProfileHolds::Change ProfileHolds::select(PowerProfile profile) {
  Change change;
  if (profile == active_) return change;
  for (auto& [cookie, hold] : holds_) change.released.emplace_back(cookie, std::move(hold));
  change.holds = !holds_.empty();
  holds_.clear();
  selected_ = profile;
  change.active = activate(profile);
  return change;
}

std::uint32_t ProfileHolds::hold(Hold hold, Change& change) {
  do {
    ++last_cookie_;
  } while (last_cookie_ == 0 || has(last_cookie_));
  holds_.emplace(last_cookie_, std::move(hold));
  change.holds = true;
  change.active = activate(held().value_or(active_));
  return last_cookie_;
}

ProfileHolds::Change ProfileHolds::release(std::uint32_t cookie) {
  Change change;
  const auto found = holds_.find(cookie);
  if (found == holds_.end()) return change;
  change.holds = true;
  change.released.emplace_back(cookie, std::move(found->second));
  holds_.erase(found);
  change.active = activate(held().value_or(selected_));
  return change;
}

ProfileHolds::Change ProfileHolds::requester_gone(std::string_view requester) {
  Change all;
  std::vector<std::uint32_t> theirs;
  for (const auto& [cookie, hold] : holds_) {
    if (hold.requester == requester) theirs.push_back(cookie);
  }
  const PowerProfile before = active_;
  for (const std::uint32_t cookie : theirs) {
    Change one = release(cookie);
    all.holds = true;
    for (auto& released : one.released) all.released.push_back(std::move(released));
  }
  all.active = active_ != before;
  return all;
}

}  // namespace flyball
