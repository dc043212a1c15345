#include "governor/machine/rival_watch.h"

#include "env/linux/discover/linux_machine.h"
#include "kernels/base/clock.h"
#include "kernels/base/control_character.h"

namespace flyball {
namespace {

constexpr std::int64_t kLookNs = 1'000'000'000;

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }
std::string_view folder(std::string_view path) { return path.substr(0, path.rfind('/')); }

}  // namespace

void RivalWatch::on_epoch(const EpochEvent& event) noexcept {
  for (; watched_ < file_.count(); ++watched_) watch_.watch(watched_);
  hold_what_is_written();
  while (const auto change = watch_.next()) meet(*change);
  if (event.outcome.now_ns - looked_ns_ < kLookNs) return;
  looked_ns_ = event.outcome.now_ns;
  // For what no event tells. Limits read lower when it is hot: of those, only events are believed.
  for (int setting = 0; setting < watched_; ++setting) {
    if (any_held_ && is_held(setting)) continue;
    const bool anew = watch_.watch_anew(setting);
    if (file_.kind(setting) != SettingKind::kGovernor) continue;
    const auto change = watch_.look_at(setting);
    if (!change) continue;
    // A driver that was loaded anew begins with its defaults. Nobody set them, and nothing of ours is
    // left, until the policy is taken with the next clock. (It is not being written now: see above.)
    if (anew) {
      file_.set_state(setting, SettingState::kGone);
    } else {
      meet(*change);
    }
  }
}

bool RivalWatch::is_held(int setting) const noexcept {
  return platform_.is_writing(file_name(folder(file_.path(setting))));
}

/// To look at a policy while its driver is busy would be to wait for that; the others are looked at.
void RivalWatch::hold_what_is_written() noexcept {
  const bool any = platform_.is_writing();
  if (!any && !any_held_) return;
  any_held_ = any;
  for (int setting = 0; setting < watched_; ++setting)
    watch_.hold(setting, any && is_held(setting));
}

/// inotify names nobody.
std::string RivalWatch::suspects() const {
  std::string names;
  for (const RivalDaemon& rival : find_rivals(SysTree(std::string(file_.sysfs_root())))) {
    names +=
        (names.empty() ? "" : ", ") + rival.name + " (process " + std::to_string(rival.pid) + ")";
  }
  return names.empty() ? "" : ", perhaps " + names + ", which runs here,";
}

void RivalWatch::meet(const ForeignChange& change) {
  const std::string_view path = file_.path(change.setting);
  const std::string policy(file_name(folder(path)));
  const std::string what =
      policy + "/" + std::string(file_name(path)) + " to '" + printable(change.found.data()) + "'";
  if (what == last_met_ || stood_down_.contains(policy)) return;
  last_met_ = what;
  std::string who = change.program[0] != 0 ? change.program.data() : "Somebody else";
  if (change.pid != 0) who += " (process " + std::to_string(change.pid) + ")";
  if (change.pid == 0) {
    // To look through all processes takes a while: not at every change of one who goes on changing.
    if (suspects_ns_ == 0 || monotonic_ns() - suspects_ns_ > kSuspectsNs) {
      suspects_ = suspects();
      suspects_ns_ = monotonic_ns();
    }
    who += suspects_;
  }
  say_(who + " has set " + what + ": " +
       (force_ ? "flyball goes on, as --force says."
               : policy + " is left to them. With --force, flyball goes on."));
  if (force_) return;
  stood_down_.insert(policy);
  platform_.stand_down(policy);
}

}  // namespace flyball
