#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string_view>

#include "env/linux/actuate/clamp_calls.h"

namespace flyball {

/// The system calls that settings and sensors need, so that tests can put a Linux kernel with faults
/// in their place. What fails returns -errno. Used by several threads at a time.
struct SettingCalls {
  virtual ~SettingCalls() = default;
  /// open(2) of a regular file, close-on-exec, never waiting for it.
  virtual int open_file(const char* path, bool to_write) noexcept = 0;
  /// From the start of the file.
  virtual ssize_t read_file(int fd, char* buffer, std::size_t bytes) noexcept = 0;
  virtual ssize_t write_file(int fd, const char* bytes, std::size_t size) noexcept = 0;
  virtual void close_file(int fd) noexcept = 0;
};

/// Those of this machine.
SettingCalls& linux_setting_calls();

/// Told of every setting before it is written and after, so that it can be given back whoever dies.
/// Called from several threads, from each for settings of its own.
class SettingHook {
 public:
  virtual ~SettingHook() = default;
  /// 0, or an errno: then the setting is not written. `before` is what to give back; not certain
  /// where heat hid what the user had set.
  virtual int on_write(std::string_view path, std::string_view before, bool certain,
                       std::string_view intended) noexcept = 0;
  /// It was accepted, and reads so now: drivers round and cap.
  virtual void on_written(std::string_view path, std::string_view read_back) noexcept {
    (void)path, (void)read_back;
  }
  /// It is ours no more: it reads again as it was found, or somebody else has it now.
  virtual void on_left(std::string_view path, bool given_back) noexcept {
    (void)path, (void)given_back;
  }
  /// The same of a thread's clamps. ESRCH: the number is another thread's by now.
  virtual int on_clamp(pid_t thread, const UtilClamps& before,
                       const UtilClamps& intended) noexcept {
    (void)thread, (void)before, (void)intended;
    return 0;
  }
  virtual void on_clamped(pid_t thread, const UtilClamps& now) noexcept { (void)thread, (void)now; }
  virtual void on_clamp_left(pid_t thread, bool given_back) noexcept {
    (void)thread, (void)given_back;
  }
};

}  // namespace flyball
