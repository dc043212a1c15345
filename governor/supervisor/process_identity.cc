#include "governor/supervisor/process_identity.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>

#include "kernels/base/file_descriptor.h"

namespace flyball {
namespace {

std::optional<ProcessIdentity> parse_stat(pid_t pid, std::string_view stat) {
  // "PID (name) S ...": the name may hold anything, blanks and brackets too, so from its end on. The
  // state is field 3, the start field 22.
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= stat.size()) return {};
  stat.remove_prefix(name_end + 2);
  if (stat[0] == 'Z' || stat[0] == 'X') return {};
  for (int field = 3; field < 22; ++field) {
    const std::size_t blank = stat.find(' ');
    if (blank == std::string_view::npos) return {};
    stat.remove_prefix(blank + 1);
  }
  ProcessIdentity identity{pid, 0, 0};
  const auto [end, error] =
      std::from_chars(stat.data(), stat.data() + stat.size(), identity.start_ticks);
  if (error != std::errc()) return {};
  return identity;
}

}  // namespace

ssize_t read_small_file(const char* path, char* bytes, std::size_t size) {
  const FileDescriptor file(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return -1;
  ssize_t got;
  do {
    got = read(file.get(), bytes, size);
  } while (got < 0 && errno == EINTR);
  return got;
}

std::optional<ProcessIdentity> identify(pid_t pid) {
  char path[32], stat[1024];
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  const ssize_t size = read_small_file(path, stat, sizeof stat);
  if (size <= 0) return {};
  return parse_stat(pid, {stat, static_cast<std::size_t>(size)});
}

BootId this_boot() {
  BootId boot{};
  read_small_file("/proc/sys/kernel/random/boot_id", boot.data(), boot.size());
  return boot;
}

}  // namespace flyball
