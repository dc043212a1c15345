#include "governor/supervisor/restore.h"

#include <time.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "kernels/base/clock.h"
#include "kernels/base/control_character.h"
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

/// A folder that only a file names.
RestoreReport restore_elsewhere(const std::string& folder, const std::string& sysfs_root) {
  RestoreReport report;
  try {
    const StateDir dir = StateDir::open_existing(folder);
    if (!dir) {
      report.elsewhere_removed = printable(folder);
      return report;
    }
    std::optional<GovernorLock> lock;
    if (dir.whole_path() != folder) {
      report.elsewhere_problem = "it is reached by a link";
    } else if (lock = GovernorLock::try_lock_if_there(dir); !lock) {
      // Nothing is made in a folder that a governor may never have had.
      if (SettingsFile::open_existing(dir))
        report.elsewhere_problem = "it has settings, and no lock as a governor's has";
    } else if (!*lock) {
      report.elsewhere_problem = "another process holds its lock";
    } else {
      report = restore_locked(dir, sysfs_root);
      if (report.remains == Remains::kSettings) report.elsewhere = folder;
    }
  } catch (const Error& error) {
    report = {};
    report.elsewhere_problem = error.what();
  }
  if (!report.elsewhere_problem.empty()) {
    report.elsewhere_problem = printable(
        "state folder " + folder +
        ", of who governed this machine last, is not looked at: " + report.elsewhere_problem);
  }
  return report;
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

MachineLock machine_when_free(const std::string& sysfs_root, std::int64_t limit_ns) {
  return MachineLock::take(sysfs_root, limit_ns, [](const std::string& folder) {
    std::int64_t pid = 0;
    try {
      if (folder.empty()) return;
      const StateDir dir = StateDir::open_existing(folder);
      if (!dir) return;
      const auto file = SettingsFile::open_existing(dir);
      if (file && runs(file->governor())) pid = file->governor().pid;
    } catch (const Error&) {
      return;  // what cannot be looked at tells nothing
    }
    if (pid == 0) return;
    failure("this machine",
            "another flyball governs it (process " + std::to_string(pid) + "), with state folder " +
                printable(folder),
            "stop it, and it gives everything back: kill " + std::to_string(pid));
  });
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

RestoreReport restore_all(const StateDir& dir, const MachineLock& machine,
                          const std::string& sysfs_root) {
  // What was taken last is given back first: its old values may be what the other one had written.
  const std::string folder = machine.last_folder();
  RestoreReport report;
  if (!folder.empty() && !(dir && dir.whole_path() == folder))
    report = restore_elsewhere(folder, sysfs_root);
  if (!dir) return report;
  RestoreReport own = restore_locked(dir, sysfs_root);
  if (report.remains != Remains::kSettings) {
    report.remains = own.remains;
    report.result = std::move(own.result);
  } else {
    std::ranges::move(own.result.settings, std::back_inserter(report.result.settings));
  }
  return report;
}

RestoreReport restore(const RestoreOptions& options) {
  const StateDir dir = StateDir::open_existing(options.state_dir);
  if (!dir && !MachineLock::names_folder(options.sysfs_root)) return {};
  std::optional<GovernorLock> lock;
  if (dir) lock.emplace(lock_when_free(dir, options.lock_limit_ns));
  const MachineLock machine = machine_when_free(options.sysfs_root, options.lock_limit_ns);
  return restore_all(dir, machine, options.sysfs_root);
}

}  // namespace flyball
