#include "governor/machine/kept_settings.h"

#include <cerrno>
#include <exception>

#include "governor/supervisor/tunables.h"

namespace flyball {
namespace {

SettingKind kind_of(std::string_view name) {
  if (name.ends_with("/scaling_governor")) return SettingKind::kGovernor;
  if (name.ends_with("/scaling_min_freq")) return SettingKind::kMinimum;
  if (name.ends_with("/scaling_max_freq")) return SettingKind::kMaximum;
  if (name.ends_with("/scaling_setspeed")) return SettingKind::kSpeed;
  // Of devices under devfreq.
  if (name.ends_with("/governor")) return SettingKind::kGovernor;
  if (name.ends_with("/min_freq")) return SettingKind::kMinimum;
  if (name.ends_with("/max_freq")) return SettingKind::kMaximum;
  if (name.ends_with("/userspace/set_freq")) return SettingKind::kSpeed;
  return SettingKind::kOther;
}

}  // namespace

std::string_view KeptSettings::name_of(std::string_view path) const {
  return path.substr(path.starts_with(root_) ? root_.size() : 0);
}

int KeptSettings::number_of(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = number_.find(name);
  return found == number_.end() ? -1 : found->second;
}

int KeptSettings::on_write(std::string_view path, std::string_view before, bool certain,
                           std::string_view intended) noexcept {
  const std::string_view name = name_of(path);
  int number = number_of(name);
  const std::lock_guard lock(mutex_);
  const bool is_new = number < 0 || file_.state(number) != SettingState::kTaken;
  if (number < 0) {
    const auto taken = file_.take(kind_of(name), name, before, certain);
    if (!taken) return ENOSPC;
    number = *taken;
    try {
      number_.emplace(name, number);
    } catch (const std::exception&) {
      return ENOMEM;  // what is taken and never written is given back by doing nothing
    }
  } else if (is_new && !file_.retake(number, before, certain)) {
    return EINVAL;
  }
  try {
    if (is_new && kind_of(name) == SettingKind::kGovernor && !take_tunables(file_, number))
      return ENOSPC;
  } catch (const std::exception&) {
    return ENOMEM;
  }
  return file_.intend(number, intended) ? 0 : EINVAL;
}

void KeptSettings::on_written(std::string_view path, std::string_view read_back) noexcept {
  if (const int number = number_of(name_of(path)); number >= 0) file_.written(number, read_back);
}

void KeptSettings::on_left(std::string_view path, bool given_back) noexcept {
  const int number = number_of(name_of(path));
  if (number < 0) return;
  const std::lock_guard lock(mutex_);
  file_.set_state(number, given_back ? SettingState::kGivenBack : SettingState::kLeft);
  try {
    if (given_back && file_.kind(number) == SettingKind::kGovernor)
      give_back_tunables(file_, number);
  } catch (const std::exception&) {  // no memory: they are given back at the end
  }
}

}  // namespace flyball
