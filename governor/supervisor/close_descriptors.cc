#include "governor/supervisor/close_descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>

namespace flyball {
namespace {

constexpr rlim_t kMostWithoutProc = 1 << 16;

/// Of linux_dirent64: an inode, an offset, its size, a type and a name.
constexpr std::size_t kSizeAt = 16, kNameAt = 19;

}  // namespace

void close_descriptors(unsigned first, unsigned last) noexcept {
  if (first <= last && close_range(first, last, 0) != 0) close_one_by_one(first, last);
}

void close_one_by_one(unsigned first, unsigned last) noexcept {
  const int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const auto end = static_cast<unsigned>(std::min(limit.rlim_cur, kMostWithoutProc));
    for (unsigned each = first; each < end && each <= last; ++each) close(static_cast<int>(each));
    return;
  }
  alignas(8) char entries[2048];
  long bytes;
  // Linux goes on by the number of a descriptor, so closing some on the way skips none.
  while ((bytes = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0) {
    for (long at = 0; at < bytes;) {
      unsigned short size = 0;
      std::memcpy(&size, entries + at + kSizeAt, sizeof size);
      const std::string_view name(entries + at + kNameAt);
      at += size;
      unsigned each = 0;
      const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), each);
      if (error != std::errc() || end != name.data() + name.size()) continue;
      if (each >= first && each <= last && each != static_cast<unsigned>(folder))
        close(static_cast<int>(each));
    }
  }
  close(folder);
}

}  // namespace flyball
