#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flyball {

/// A process, or a thread, of this boot. Its number alone is given to another one after its end.
struct ProcessIdentity {
  std::int32_t pid = 0;
  std::uint32_t reserved = 0;     ///< keeps files free of padding
  std::uint64_t start_ticks = 0;  ///< since boot
  bool operator==(const ProcessIdentity&) const = default;
};

/// Nothing when there is no process or thread of that number; one that has ended and waits for its
/// parent to ask is none either.
std::optional<ProcessIdentity> identify(pid_t pid);
inline bool runs(const ProcessIdentity& process) {
  return process.pid > 0 && identify(process.pid) == process;
}

/// The Linux kernel's random name of this boot: 36 characters, all 0 when it does not say.
using BootId = std::array<char, 36>;
BootId this_boot();

/// At most `size` bytes of a small file, as in /proc; -1 with errno set when it is refused. No
/// allocation.
ssize_t read_small_file(const char* path, char* bytes, std::size_t size);

}  // namespace flyball
