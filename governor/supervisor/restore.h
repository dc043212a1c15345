#pragma once

#include <cstdint>
#include <string>

#include "governor/supervisor/give_back.h"

namespace flyball {

struct RestoreOptions {
  std::string state_dir = kDefaultStateDir;
  std::string sysfs_root;  ///< the folder that "sys" is in; empty: "/"
  /// For a governor that has ended and whose supervisor is still at it.
  std::int64_t lock_limit_ns = 5'000'000'000;
};

/// What a governor has left.
enum class Remains {
  kNothing,
  kEarlierBoot,  ///< settings that ended with that boot; the file is dropped
  kSettings,     ///< given back, as the result says
};

struct RestoreReport {
  Remains remains = Remains::kNothing;
  GiveBackResult result;
  /// Another state folder, of whoever governed this machine last: some of `result` was left there.
  std::string elsewhere;
  /// One line on why that one was not looked at.
  std::string elsewhere_problem;
  /// It is no more, and what had been left in it with it.
  std::string elsewhere_removed;
};

/// Gives back what a governor left that has died together with its supervisor. The file stays when a
/// setting is missing. Throws Error (kFailure) while one governs, and for a file that is not trusted.
RestoreReport restore(const RestoreOptions& options);
/// The lock, once a supervisor that is giving back has done so; throws Error (kFailure) while one
/// governs, or when that takes longer.
GovernorLock lock_when_free(const StateDir& dir, std::int64_t limit_ns);
/// The same of the machine.
MachineLock machine_when_free(const std::string& sysfs_root, std::int64_t limit_ns);
/// restore() for who has both locks: what was left in `dir`, which may be absent, and in the state folder of
/// whoever governed this machine last. That folder must be this user's own, reached by no link, and nobody
/// else's to write to, or it is not looked at.
RestoreReport restore_all(const StateDir& dir, const MachineLock& machine,
                          const std::string& sysfs_root);
/// What was left in `dir` alone, for who has its lock.
RestoreReport restore_locked(const StateDir& dir, const std::string& sysfs_root);

}  // namespace flyball
