#include "governor/supervisor/restore.h"

#include <time.h>

#include "kernels/base/clock.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr timespec kBetweenLockTries = {0, 20'000'000};

void check_tree(const SettingsFile& file, const StateDir& dir, const std::string& sysfs_root) {
  if (file.sysfs_root() == sysfs_root) return;
  const std::string root(file.sysfs_root());
  input_error(
      dir.path_of(SettingsFile::kName),
      root.empty() ? "it holds settings of this machine" : "it holds settings below " + root,
      root.empty() ? "leave --sysfs-root out" : "give --sysfs-root " + root);
}

}  // namespace

GovernorLock lock_when_free(const StateDir& dir, std::int64_t limit_ns) {
  const std::int64_t until_ns = monotonic_ns() + limit_ns;
  for (;;) {
    GovernorLock lock = GovernorLock::try_lock(dir);
    if (lock) return lock;
    const auto file = SettingsFile::open_existing(dir);
    if (file && runs(file->governor())) {
      const std::string pid = std::to_string(file->governor().pid);
      failure(dir.path(), "another flyball governs (process " + pid + ")",
              "stop it, and it gives everything back: kill " + pid);
    }
    if (monotonic_ns() > until_ns) {
      failure(dir.path_of("lock"), "another process holds it", "wait until it has ended");
    }
    nanosleep(&kBetweenLockTries, nullptr);
  }
}

RestoreReport restore_locked(const StateDir& dir, const std::string& sysfs_root) {
  RestoreReport report;
  auto file = SettingsFile::open_existing(dir);
  if (!file) return report;
  if (!file->of_this_boot()) {
    report.remains = Remains::kEarlierBoot;
    file->remove(dir);
    return report;
  }
  check_tree(*file, dir, sysfs_root);
  report.remains = Remains::kSettings;
  report.result = give_back(*file);
  if (report.result.missing() == 0) file->remove(dir);
  return report;
}

RestoreReport restore(const RestoreOptions& options) {
  const StateDir dir = StateDir::open_existing(options.state_dir);
  if (!dir) return {};
  const GovernorLock lock = lock_when_free(dir, options.lock_limit_ns);
  const MachineLock machine = MachineLock::take(options.sysfs_root, options.lock_limit_ns);
  return restore_locked(dir, options.sysfs_root);
}

}  // namespace flyball
