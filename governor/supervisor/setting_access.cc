#include "governor/supervisor/setting_access.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace flyball {
namespace {

constexpr std::string_view kSys = "/sys/";

/// "/sys/a/b" to "a/b"; empty when it is not of that form, or leads out of it.
std::string_view below_sys(std::string_view path) {
  if (!path.starts_with(kSys)) return {};
  path.remove_prefix(kSys.size());
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view part = rest.substr(0, rest.find('/'));
    if (part.empty() || part == "." || part == "..") return {};
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  }
  return path.ends_with('/') ? std::string_view{} : path;
}

/// 0 and the file, or the errno of the refusal.
int open_setting(int sys, std::string_view path, int access, FileDescriptor& file) {
  const std::string_view below = below_sys(path);
  char name[sizeof SettingEntry{}.path];
  if (below.empty() || below.size() >= sizeof name) return EINVAL;
  std::memcpy(name, below.data(), below.size());
  name[below.size()] = 0;
  file = FileDescriptor(openat(sys, name, access | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file) return errno;
  struct stat root {
  }, info{};
  if (fstat(sys, &root) != 0 || fstat(file.get(), &info) != 0) return errno;
  if (!S_ISREG(info.st_mode)) return EINVAL;
  return info.st_dev == root.st_dev ? 0 : EXDEV;
}

}  // namespace

SettingReading read_file_setting(int sys, std::string_view path) {
  SettingReading reading;
  FileDescriptor file;
  reading.error = open_setting(sys, path, O_RDONLY, file);
  if (reading.error != 0) return reading;
  ssize_t got;
  do {
    got = read(file.get(), reading.text, sizeof reading.text);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    reading.error = errno;
    return reading;
  }
  std::string_view text(reading.text, static_cast<std::size_t>(got));
  text = text.substr(0, text.find('\n'));
  while (text.ends_with(' ')) text.remove_suffix(1);
  reading.size = static_cast<std::uint16_t>(text.size());
  return reading;
}

int write_file_setting(int sys, std::string_view path, std::string_view value) {
  FileDescriptor file;
  if (const int error = open_setting(sys, path, O_WRONLY, file); error != 0) return error;
  ssize_t written;
  do {
    written = write(file.get(), value.data(), value.size());
  } while (written < 0 && errno == EINTR);
  if (written < 0) return errno;
  if (static_cast<std::size_t>(written) != value.size()) return EIO;
  // A copy of sysfs in a test would keep the end of a longer value. Not O_TRUNC: whoever is killed in
  // between would leave no value at all.
  struct statfs system {};
  if (fstatfs(file.get(), &system) == 0 && system.f_type != SYSFS_MAGIC) {
    return ftruncate(file.get(), written) == 0 ? 0 : errno;
  }
  return 0;
}

SettingReading read_setting(int sys, const SettingsFile& file, int setting) {
  switch (file.kind(setting)) {
    case SettingKind::kThreadAffinity:
      return read_thread_affinity(file.thread(setting));
    case SettingKind::kThreadScheduling:
      return read_thread_scheduling(file.thread(setting));
    default:
      return read_file_setting(sys, file.path(setting));
  }
}

int write_setting(int sys, const SettingsFile& file, int setting, std::string_view value) {
  switch (file.kind(setting)) {
    case SettingKind::kThreadAffinity:
      return write_thread_affinity(file.thread(setting), value);
    case SettingKind::kThreadScheduling:
      return write_thread_scheduling(file.thread(setting), value);
    default:
      return write_file_setting(sys, file.path(setting), value);
  }
}

}  // namespace flyball
