#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "governor/supervisor/setting_access.h"
#include "governor/supervisor/settings_file.h"

namespace flyball {

/// What became of a setting.
enum class Returned : std::uint32_t {
  kGivenBack,
  kWasBack,  ///< it had its old value already
  kLeft,     ///< somebody else has changed it since; it stays as it is
  kGone,     ///< its device or thread is no more
  // From here on it does not have its old value, and should:
  kRefused,  ///< `error` says why
  kIgnored,  ///< the write was accepted, and nothing came of it
  kHung,     ///< the machine did not answer within the limit
  kDamaged,  ///< its entry is torn, and nothing is known of it
};
constexpr bool is_missing(Returned outcome) { return outcome >= Returned::kRefused; }
const char* name_of(Returned outcome);

struct SettingResult {
  int setting = 0;
  SettingKind kind = SettingKind::kOther;
  std::string name;    ///< its path, or "thread 123"
  std::string before;  ///< what it was to get
  std::string found;   ///< what it reads as, or read as before that was refused; empty: unknown
  bool before_is_certain = true;
  Returned outcome = Returned::kDamaged;
  int error = 0;
};

struct GiveBackResult {
  std::vector<SettingResult> settings;
  int count(Returned outcome) const;
  /// Settings that should have their old value and do not.
  int missing() const;
  /// "6 settings: 5 given back, 1 left to others"
  std::string sum() const;
};

struct GiveBackOptions {
  /// For one setting. A clock behind a slow bus takes milliseconds; a driver that hangs, seconds.
  std::int64_t step_limit_ns = 300'000'000;
  /// Only settings whose path begins so: one policy's. All when it is empty.
  std::string only_below;
  /// Also those that are done: a write of the governor's that hung may have come through since.
  bool again = false;
  SettingAccess access;
};

/// Gives back every setting that still has a value of ours, and leaves what somebody else has
/// changed. Order: drivers' modes, then governors, their tunables, limits (so that the minimum is
/// never above the maximum), speeds, the rest. Policies are given back beside each other, by
/// processes of their own: one that fails or hangs stops no other one. Settings that are done are
/// not touched again, so it may be called until nothing is missing.
GiveBackResult give_back(SettingsFile& file, const GiveBackOptions& options = {});

/// The same, and again while something is missing, for as long at most: a CPU that is just coming
/// back refuses for a moment. The result has every setting once.
GiveBackResult give_back_patiently(SettingsFile& file, std::int64_t limit_ns,
                                   const GiveBackOptions& options = {});

/// One line per setting that is worth a word: all but those that were as before.
std::string report_text(const GiveBackResult& result);
/// "policy0/scaling_governor: cannot be written: Input/output error; it should be schedutil"
std::string line_of(const SettingResult& setting);

}  // namespace flyball
