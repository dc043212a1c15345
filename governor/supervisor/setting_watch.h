#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "governor/supervisor/setting_access.h"
#include "kernels/base/file_descriptor.h"

namespace flyball {

/// Somebody else has changed a setting of ours.
struct ForeignChange {
  int setting = 0;
  std::array<char, 112> found{};   ///< what it reads as
  std::int64_t seen_ns = 0;        ///< CLOCK_MONOTONIC
  pid_t pid = 0;                   ///< 0: unknown
  std::array<char, 64> program{};  ///< of that process; empty: unknown, or it has ended
};

/// Looks after the settings that we changed: who writes to them besides us. By fanotify, which names
/// the writer and is root's (CAP_SYS_ADMIN), else by inotify, which does not; changes that the Linux
/// kernel makes by itself are seen by neither. For one thread; allocates only in watch(),
/// and in watch_anew() where a file is another one.
class SettingWatch {
 public:
  /// `file` outlives it.
  explicit SettingWatch(const SettingsFile& file);
  bool names_programs() const { return by_fanotify_; }
  /// To wait for; -1 when the machine lets us watch nothing, and then look_at_all() is what is left.
  int descriptor() const { return events_.get(); }
  /// From now on. False when it cannot be watched.
  bool watch(int setting);

  /// Whether the file that is watched is another one by now, as after its driver was loaded anew; that
  /// one is watched from then on.
  bool watch_anew(int setting);

  /// While it is held, nobody reads it, for its driver is busy and a read would wait; what happens to
  /// it meanwhile is kept, and told by next() once it is not held any more.
  void hold(int setting, bool held) noexcept;

  /// What others have written since the last call, one at a time; nothing when there is no more. A
  /// write that leaves a value of ours is nobody's business. Costs a system call, 0.5 us.
  std::optional<ForeignChange> next() noexcept;
  /// Whether a setting reads otherwise than we left it, by reading it.
  std::optional<ForeignChange> look_at(int setting) const noexcept;

 private:
  struct Watched {
    int setting;
    std::uint64_t device, inode;  ///< fanotify's events carry the file
    int watch;                    ///< inotify's carry this
    bool held = false, kept = false;
    pid_t pid = 0;  ///< of what is kept
    std::array<char, 64> program{};
  };
  std::optional<ForeignChange> next_kept() noexcept;
  std::optional<ForeignChange> meet(Watched& each, pid_t pid) noexcept;
  std::optional<ForeignChange> next_by_fanotify() noexcept;
  std::optional<ForeignChange> next_by_inotify() noexcept;
  bool fill() noexcept;

  const SettingsFile& file_;
  FileDescriptor sys_;
  bool by_fanotify_ = false;
  FileDescriptor events_;
  std::vector<Watched> watched_;
  alignas(8) std::array<char, 4096> buffer_;
  std::size_t size_ = 0, at_ = 0;
  bool any_kept_ = false;
};

/// The name of a process as it is known by: of its script, when it is an interpreter that runs one.
/// Empty when it has ended.
std::array<char, 64> program_of(pid_t pid) noexcept;

}  // namespace flyball
