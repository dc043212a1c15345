#pragma once

#include <functional>
#include <set>
#include <string>

#include "env/linux/linux_platform.h"
#include "governor/loop/control_loop.h"
#include "governor/supervisor/setting_watch.h"

namespace flyball {

/// Looks who else turns the knobs that we turn. A policy that somebody else changes is theirs: we
/// stand down from it, give back what is still ours of it, and say who it was. Nobody is fought,
/// unless the user says so (`force`): then it is said and we go on.
class RivalWatch final : public EpochSink {
 public:
  using Say = std::function<void(const std::string&)>;
  /// All outlive it. `say` gets a sentence per change.
  RivalWatch(SettingsFile& file, LinuxPlatform& platform, bool force, Say say)
      : file_(file), watch_(file), platform_(platform), force_(force), say_(std::move(say)) {}

  /// A system call. Allocates only when a setting is new, its file is another one, or somebody was
  /// here. A policy whose driver is busy is looked at when that is done.
  void on_epoch(const EpochEvent& event) noexcept override;
  /// Policies that were left to others.
  const std::set<std::string>& stood_down() const { return stood_down_; }

 private:
  static constexpr std::int64_t kSuspectsNs = 60'000'000'000;
  std::string suspects() const;
  void meet(const ForeignChange& change);
  bool is_held(int setting) const noexcept;
  void hold_what_is_written() noexcept;

  SettingsFile& file_;
  SettingWatch watch_;
  LinuxPlatform& platform_;
  bool force_;
  Say say_;
  int watched_ = 0;
  bool any_held_ = false;
  std::int64_t looked_ns_ = 0;
  std::string last_met_;
  std::string suspects_;
  std::int64_t suspects_ns_ = 0;  ///< when they were looked for
  std::set<std::string> stood_down_;
};

}  // namespace flyball
