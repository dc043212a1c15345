#pragma once

#include <cstdint>
#include <string_view>

#include "governor/supervisor/settings_file.h"

namespace flyball {

/// What a setting reads as, its first line; or the errno of the refusal. No allocation: it
/// is read and written after fork() in a process of many threads, too.
struct SettingReading {
  int error = 0;
  std::uint16_t size = 0;
  char text[sizeof StoredValue{}.text] = {};
  std::string_view view() const { return {text, size}; }
};

/// `sys` is a descriptor of the tree's folder "sys". Only a regular file of that very file system is
/// opened, by a path without "..": ELOOP, EXDEV or EINVAL for what a forged file might name.
SettingReading read_file_setting(int sys, std::string_view path);
int write_file_setting(int sys, std::string_view path, std::string_view value);

/// An affinity as a hexadecimal mask ("f0"), the greatest CPU first; ESRCH when the thread has gone,
/// though another one may have its number.
SettingReading read_thread_affinity(const ProcessIdentity& thread);
int write_thread_affinity(const ProcessIdentity& thread, std::string_view mask);
/// "policy nice priority util_min util_max" as sched_setattr takes them.
SettingReading read_thread_scheduling(const ProcessIdentity& thread);
int write_thread_scheduling(const ProcessIdentity& thread, std::string_view attributes);

/// Of whatever kind.
SettingReading read_setting(int sys, const SettingsFile& file, int setting);
int write_setting(int sys, const SettingsFile& file, int setting, std::string_view value);

/// The machine, or a faulty one in a test.
struct SettingAccess {
  SettingReading (*read)(int sys, const SettingsFile& file, int setting) = read_setting;
  int (*write)(int sys, const SettingsFile& file, int setting,
               std::string_view value) = write_setting;
};

}  // namespace flyball
