#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "governor/supervisor/process_identity.h"

namespace flyball {

/// What a setting is, in the order in which settings are given back: a driver's mode brings other
/// governors, and a governor its tunables. Paths are those of the machine, "/sys/...".
enum class SettingKind : std::uint32_t {
  kDriverMode,        ///< intel_pstate/status and its like
  kGovernor,          ///< of a policy or a devfreq device
  kTunable,           ///< in a folder of its governor's name, and gone when that governor goes
  kMinimum,           ///< scaling_min_freq, min_freq
  kMaximum,           ///< scaling_max_freq, max_freq
  kSpeed,             ///< scaling_setspeed, which reads as the clock that came of it
  kOther,             ///< any other file
  kThreadAffinity,    ///< of a thread of another process
  kThreadScheduling,  ///< its policy, priority and utilisation clamps
};
inline constexpr std::uint32_t kSettingKinds = 9;
constexpr bool is_thread_setting(SettingKind kind) { return kind >= SettingKind::kThreadAffinity; }

enum class SettingState : std::uint32_t {
  kTaken,       ///< ours to give back, whether it has been written already or not
  kGivingBack,  ///< its old value is being written
  kGivenBack,   ///< we gave it its old value
  kWasBack,     ///< it had its old value without us
  kLeft,        ///< somebody else's since: not ours any more
  kGone,        ///< there is no such device or thread any more
};

/// A value of a setting, with what shows that it was stored whole.
struct StoredValue {
  std::uint32_t checksum;  ///< of all that follows
  std::uint16_t size;
  std::uint16_t reserved;
  std::uint64_t sequence;  ///< of two, the later one has the greater
  char text[112];
};

/// What we set it to. `stored` stands before the machine is written to, `in_force` after, with what
/// the setting read as then.
struct IntendedValue {
  StoredValue stored;
  StoredValue read_back;
  std::atomic<std::uint32_t> in_force;
  std::uint32_t reserved;
};

struct SettingEntry {
  std::uint32_t checksum;  ///< of kind to path
  SettingKind kind;
  std::uint32_t
      before_is_certain;  ///< 0: it could not be seen, and the hardware's bound stands for it
  std::uint32_t reserved;
  ProcessIdentity thread;  ///< of a thread's setting
  char path[176];          ///< below the root of sysfs, for all others
  StoredValue before;
  std::atomic<SettingState> state;
  std::uint32_t reserved_too;
  /// Written in turn: while one is being written, the other one holds what is in force.
  IntendedValue intended[2];
};

enum class GovernorPhase : std::uint32_t {
  kStarting,  ///< it has had no epoch yet, and changed nothing
  kGoverning,
  kGivingBack,  ///< by itself
  kDone,        ///< everything is given back
};

struct SupervisorIdentity {
  std::uint32_t checksum;
  std::uint32_t reserved;
  ProcessIdentity process;
};

struct SettingsHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t checksum;  ///< of what follows, up to `sysfs_root`
  std::uint32_t entry_bytes;
  std::uint32_t capacity;
  BootId boot;
  std::uint32_t reserved;
  ProcessIdentity governor;
  char sysfs_root[256];
  // From here on it changes while the governor runs.
  SupervisorIdentity supervisor;
  std::atomic<std::uint32_t> count;
  std::atomic<GovernorPhase> phase;
  std::atomic<std::int64_t> beat_ns;    ///< CLOCK_MONOTONIC of the latest epoch
  std::atomic<std::int64_t> period_ns;  ///< until the next one, at most
};

inline constexpr char kSettingsMagic[8] = {'F', 'L', 'Y', 'S', 'E', 'T', 'S', '\n'};
inline constexpr std::uint32_t kSettingsVersion = 1;
inline constexpr std::size_t kEntriesAt = 4096;  // entries begin a page
inline constexpr std::uint32_t kMaxSettings = 4096;

// A file outlives the program that made it: the layout is a contract, without gaps whose bytes
// nobody has chosen.
static_assert(sizeof(StoredValue) == 128 && sizeof(IntendedValue) == 264);
static_assert(sizeof(SettingEntry) == 16 + 16 + 176 + 128 + 8 + 2 * 264);
static_assert(sizeof(SettingsHeader) == 24 + 40 + 16 + 256 + 24 + 8 + 16);
static_assert(std::atomic<std::int64_t>::is_always_lock_free &&
              std::is_standard_layout_v<SettingEntry>);

}  // namespace flyball
