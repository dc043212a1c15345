#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "governor/supervisor/settings_layout.h"
#include "governor/supervisor/state_dir.h"

namespace flyball {

/// Every setting that we change, with its value before and the one intended, in a mapped file. A
/// process that dies at any instruction leaves a file from which all is given back: an entry counts
/// only once it is whole, the intended value stands before the machine is written to, and its
/// forerunner stays readable until the new one is in force.
///
/// One process writes it at a time: the governor, then whoever gives back. Its threads may change
/// settings beside each other, each its own; one at a time takes.
class SettingsFile {
 public:
  static constexpr const char* kName = "settings";

  /// The bytes are reserved at once, so that a full disk is met here and not within an epoch.
  /// Throws Error (kFailure). Replaces one that is there.
  static SettingsFile create(const StateDir& dir, const std::string& sysfs_root, int capacity);
  /// Nothing when there is none. Throws Error (kFailure) for a file that is not trusted or not one
  /// of this version's.
  static std::optional<SettingsFile> open_existing(const StateDir& dir);
  /// The same from a descriptor that the governor has passed on.
  static SettingsFile adopt(FileDescriptor file, const std::string& name);
  SettingsFile(SettingsFile&& other) noexcept;
  SettingsFile& operator=(SettingsFile&& other) noexcept;
  ~SettingsFile();

  /// A setting that is going to be changed, before anything of it is. The number by which it is
  /// called from then on, or nothing: the file is full, or a text too long or not one printable
  /// line. Then it must not be changed. No allocation, as in all that the governor calls in an epoch.
  std::optional<int> take(SettingKind kind, std::string_view path, std::string_view before,
                          bool before_is_certain = true) noexcept;
  /// For threads of other processes; kThreadAffinity and kThreadScheduling.
  std::optional<int> take_thread(SettingKind kind, const ProcessIdentity& thread,
                                 std::string_view before) noexcept;
  /// A setting that was left, or has its old value again, is going to be changed anew.
  bool retake(int setting, std::string_view before, bool before_is_certain = true) noexcept;
  /// Before the machine is written to; false when the value is too long or no printable line, and
  /// then it must not be. The first one ends the start: from then on there is something to give back.
  bool intend(int setting, std::string_view value) noexcept;
  /// After the write was accepted, with what the setting reads as now: drivers round and cap.
  void written(int setting, std::string_view read_back) noexcept;
  /// Not ours any more: somebody else's.
  void leave(int setting) noexcept { set_state(setting, SettingState::kLeft); }
  void set_state(int setting, SettingState state) noexcept;

  /// The governor lives: an epoch began. The next one comes within `period_ns`.
  void beat(std::int64_t now_ns, std::int64_t period_ns) noexcept;
  /// The first epoch will come within `period_ns` after the first setting that is changed.
  void expect(std::int64_t period_ns) noexcept;
  /// Whoever gives back by itself is still at it: a sign of life like an epoch's.
  void gives_back() noexcept;
  void set_phase(GovernorPhase phase) noexcept;
  void has_begun() noexcept;
  void set_supervisor(const ProcessIdentity& process) noexcept;

  int count() const noexcept;
  /// Whether the entry was stored whole and is one that this version knows. None of its texts may be
  /// read when it is not.
  bool is_whole(int setting) const noexcept;
  SettingKind kind(int setting) const noexcept { return entry(setting).kind; }
  SettingState state(int setting) const noexcept;
  std::string_view path(int setting) const noexcept;
  const ProcessIdentity& thread(int setting) const noexcept { return entry(setting).thread; }
  std::string_view before(int setting) const noexcept;
  bool before_is_certain(int setting) const noexcept {
    return entry(setting).before_is_certain != 0;
  }
  /// What it reads as when nobody else has changed it since: values that we wrote, or were about to.
  struct Ours {
    std::string_view values[4];
    int count = 0;
    bool contains(std::string_view value) const noexcept;
  };
  Ours ours(int setting) const noexcept;

  bool of_this_boot() const noexcept { return header().boot == this_boot(); }
  std::string_view sysfs_root() const noexcept;
  const ProcessIdentity& governor() const noexcept { return header().governor; }
  /// Nothing when none has started yet.
  std::optional<ProcessIdentity> supervisor() const noexcept;
  GovernorPhase phase() const noexcept { return header().phase.load(std::memory_order_acquire); }
  std::int64_t beat_ns() const noexcept { return header().beat_ns.load(std::memory_order_acquire); }
  std::int64_t period_ns() const noexcept {
    return header().period_ns.load(std::memory_order_acquire);
  }
  int descriptor() const noexcept { return file_.get(); }

  /// Takes its name away, if the folder still has this very file under it.
  void remove(const StateDir& dir) const noexcept;

 private:
  SettingsFile(FileDescriptor file, void* bytes, std::size_t size)
      : file_(std::move(file)), bytes_(bytes), size_(size) {}
  SettingsHeader& header() const noexcept { return *static_cast<SettingsHeader*>(bytes_); }
  SettingEntry& entry(int setting) const noexcept;
  std::optional<int> add(SettingKind kind, std::string_view path, const ProcessIdentity& thread,
                         std::string_view before, bool before_is_certain) noexcept;

  FileDescriptor file_;
  void* bytes_;
  std::size_t size_;
};

}  // namespace flyball
