#include "governor/machine/kept_settings.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <exception>

#include "governor/supervisor/setting_access.h"
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

/// The thread's policy, niceness and priority as they are, and these clamps: as the supervisor writes it.
struct ClampText {
  std::array<char, 112> text;
  std::size_t size = 0;
  ClampText(std::string_view now, const UtilClamps& clamps) {
    std::size_t kept = 0;
    for (int numbers = 0; kept < now.size() && numbers < 3; ++kept) numbers += now[kept] == ' ';
    size = now.substr(0, kept).copy(text.data(), text.size() - 32);
    put(clamps.min);
    text[size++] = ' ';
    put(clamps.max);
  }
  void put(std::uint32_t clamp) {
    char* const end = std::to_chars(text.data() + size, text.data() + text.size(), clamp).ptr;
    size = static_cast<std::size_t>(end - text.data());
  }
  std::string_view view() const { return {text.data(), size}; }
};

}  // namespace

std::string_view KeptSettings::name_of(std::string_view path) const {
  return path.substr(path.starts_with(root_) ? root_.size() : 0);
}

int KeptSettings::number_of(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = number_.find(name);
  return found == number_.end() ? -1 : found->second;
}

template <typename Take, typename Remember>
int KeptSettings::keep(int& number, std::string_view before, bool certain, Take take,
                       Remember remember) noexcept {
  if (number >= 0) {
    const bool is_kept = file_.state(number) == SettingState::kTaken;
    return is_kept || file_.retake(number, before, certain) ? 0 : EINVAL;
  }
  const std::optional<int> taken = take();
  if (!taken) return ENOSPC;
  number = *taken;
  try {
    remember(number);
  } catch (const std::exception&) {
    return ENOMEM;  // what is taken and never written is given back by doing nothing
  }
  return 0;
}

int KeptSettings::on_write(std::string_view path, std::string_view before, bool certain,
                           std::string_view intended) noexcept {
  const std::string_view name = name_of(path);
  int number = number_of(name);
  const std::lock_guard lock(mutex_);
  const bool is_new = number < 0 || file_.state(number) != SettingState::kTaken;
  if (const int error = keep(
          number, before, certain, [&] { return file_.take(kind_of(name), name, before, certain); },
          [&](int kept) { number_.emplace(name, kept); }))
    return error;
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

int KeptSettings::number_of(const ProcessIdentity& thread) const {
  const auto found = thread_number_.find(thread.pid);
  return found != thread_number_.end() && file_.thread(found->second) == thread ? found->second
                                                                                : -1;
}

int KeptSettings::on_clamp(pid_t thread, const UtilClamps& before,
                           const UtilClamps& intended) noexcept {
  const std::optional<ProcessIdentity> identity = identify(thread);
  if (!identity) return ESRCH;
  const SettingReading now = read_thread_scheduling(*identity);
  if (now.error != 0) return now.error;
  const ClampText was(now.view(), before), will_be(now.view(), intended);
  const std::lock_guard lock(mutex_);
  int number = number_of(*identity);
  // What gives its own value back is none to be taken for it.
  if (number < 0 && before == intended) return ESRCH;
  if (const int error = keep(
          number, was.view(), true,
          [&] { return file_.take_thread(SettingKind::kThreadScheduling, *identity, was.view()); },
          [&](int kept) { thread_number_.insert_or_assign(thread, kept); }))
    return error;
  return file_.intend(number, will_be.view()) ? 0 : EINVAL;
}

void KeptSettings::on_clamped(pid_t thread, const UtilClamps& now) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = thread_number_.find(thread);
  if (found == thread_number_.end()) return;
  const SettingReading reading = read_thread_scheduling(file_.thread(found->second));
  if (reading.error != 0) return;  // it has ended
  file_.written(found->second, ClampText(reading.view(), now).view());
}

void KeptSettings::on_clamp_left(pid_t thread, bool given_back) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = thread_number_.find(thread);
  if (found == thread_number_.end()) return;
  file_.set_state(found->second, given_back ? SettingState::kGivenBack : SettingState::kLeft);
}

}  // namespace flyball
