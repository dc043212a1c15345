#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "env/linux/actuate/setting_calls.h"
#include "governor/supervisor/process_identity.h"
#include "governor/supervisor/settings_file.h"

namespace flyball {

/// Keeps every setting that the actuators write in the settings file, before it is written, so that
/// the supervisor can give it back.
class KeptSettings final : public SettingHook {
 public:
  /// The file outlives it. `root` is the folder that "sys" is in; empty: "/".
  KeptSettings(SettingsFile& file, std::string root) : file_(file), root_(std::move(root)) {}

  int on_write(std::string_view path, std::string_view before, bool certain,
               std::string_view intended) noexcept override;
  void on_written(std::string_view path, std::string_view read_back) noexcept override;
  void on_left(std::string_view path, bool given_back) noexcept override;
  int on_clamp(pid_t thread, const UtilClamps& before,
               const UtilClamps& intended) noexcept override;
  void on_clamped(pid_t thread, const UtilClamps& now) noexcept override;
  void on_clamp_left(pid_t thread, bool given_back) noexcept override;

 private:
  /// What settings of both kinds have in common: into the file by `take`, its number kept by `remember`; or
  /// taken anew where it had been given back. 0 or an errno, and nothing is to be written then.
  template <typename Take, typename Remember>
  int keep(int& number, std::string_view before, bool certain, Take take,
           Remember remember) noexcept;
  int number_of(const ProcessIdentity& thread) const;     ///< -1: not taken yet
  std::string_view name_of(std::string_view path) const;  ///< as the machine has it, "/sys/..."
  int number_of(std::string_view name) const;             ///< -1: not taken yet

  SettingsFile& file_;
  const std::string root_;
  mutable std::mutex mutex_;  ///< one thread at a time takes a new one
  std::map<std::string, int, std::less<>> number_;
  std::map<pid_t, int> thread_number_;
};

}  // namespace flyball
