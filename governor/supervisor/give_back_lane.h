#pragma once

#include <atomic>
#include <vector>

#include "governor/supervisor/give_back.h"

namespace flyball {

/// What a process that gives back tells the one that waits for it, in memory that both share.
struct GiveBackStep {
  enum Stage : std::uint32_t { kPending, kBegun, kWriting, kDone };
  std::atomic<Stage> stage;
  Returned outcome;
  int error;
  SettingReading found;
};

struct GiveBackScene {
  SettingsFile& file;
  SettingAccess access;
  int sys;              ///< the tree's folder "sys"
  GiveBackStep* steps;  ///< one per setting
  bool is_hot;          ///< a cooling device holds clocks down now
};

/// Gives back those of `settings`, in this order, whose step is pending. No allocation.
void run_lane(const GiveBackScene& scene, const std::vector<int>& settings);

/// Whether the tunable is one of the governor that this setting had before.
bool is_governor_of(const SettingsFile& file, int governor, std::string_view tunable);

/// Whether a cooling device holds clocks down: then a limit may read lower than it was set.
bool cooling_holds_clocks(int sys);

/// "a" of "a/b"; empty when there is none.
std::string_view folder_of(std::string_view path);
std::string_view name_in_folder(std::string_view path);

}  // namespace flyball
