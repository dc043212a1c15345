#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "governor/supervisor/restore.h"

namespace flyball {

struct TakeoverOptions {
  std::string state_dir = kDefaultStateDir;
  std::string sysfs_root;          ///< the folder that "sys" is in; empty: "/"
  int capacity = 512;              ///< settings, at most; 864 bytes each
  std::string supervisor_program;  ///< empty: "flyball-supervisor" beside this program
};

/// The machine's settings, held by a governor: from before its first write until all is given back,
/// with a supervisor beside it that does so when the governor cannot. One per process.
class Takeover {
 public:
  /// Gives back first what a governor before us has left; `remains` says what that was. Throws Error
  /// (kFailure): another one governs, there is no room, no supervisor. Nothing is changed then.
  static Takeover begin(const TakeoverOptions& options, RestoreReport& remains);
  Takeover(Takeover&& other) noexcept;
  Takeover(const Takeover&) = delete;
  Takeover& operator=(const Takeover&) = delete;
  /// Gives back.
  ~Takeover();

  SettingsFile& settings() { return *file_; }
  /// Once per epoch, or nap: the next call comes within `period_ns`. False when the supervisor has
  /// died, after which the governor gives back and ends. No allocation; 1 us.
  bool beat(std::int64_t period_ns) noexcept;
  pid_t supervisor() const { return supervisor_; }

  /// The governor is done, and its platform gives back on its own account before give_back(): no epoch
  /// comes any more, and every setting that is given back is a sign of life.
  void begin_to_end() noexcept;
  /// After that: waits for drivers that take their time, while `busy`, for ten seconds at most, and is
  /// taken for alive meanwhile. Nothing else waits for them.
  void wait_while(const std::function<bool()>& busy);
  /// Everything, and the end of the supervisor. What is missing stays in the file for 'flyball
  /// restore'. A second call does nothing.
  GiveBackResult give_back();

 private:
  Takeover(StateDir dir, GovernorLock lock, MachineLock machine, SettingsFile file)
      : dir_(std::move(dir)),
        lock_(std::move(lock)),
        machine_(std::move(machine)),
        file_(std::move(file)) {}
  void start_supervisor(const TakeoverOptions& options);
  void end_supervisor();

  StateDir dir_;
  std::optional<GovernorLock> lock_;
  std::optional<MachineLock> machine_;
  std::optional<SettingsFile> file_;
  pid_t supervisor_ = -1;
};

}  // namespace flyball
