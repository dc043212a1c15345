#pragma once

#include <fcntl.h>

#include <functional>
#include <optional>
#include <string>

#include "governor/supervisor/process_identity.h"
#include "kernels/base/file_descriptor.h"

namespace flyball {

/// What the system says of an errno.
std::string error_text(int error);

inline constexpr const char* kDefaultStateDir = "/run/flyball";

/// The folder for what must outlive a process and not a boot. Whoever may write there can make root
/// write to sysfs, so it is taken only when it is a folder, no link, our own, and nobody else's to
/// write to.
class StateDir {
 public:
  /// Throws Error (kFailure). Makes it when it is absent.
  static StateDir make(const std::string& path);
  /// `*this` is false when it is absent.
  static StateDir open_existing(const std::string& path);
  /// From a descriptor that the governor has passed on.
  static StateDir adopt(FileDescriptor directory, const std::string& path);

  explicit operator bool() const { return static_cast<bool>(directory_); }
  int descriptor() const { return directory_.get(); }
  const std::string& path() const { return path_; }
  /// Where it really is, whatever links `path` goes through; empty when the system does not say.
  std::string whole_path() const;
  /// It was absent until make().
  bool is_new() const { return new_; }
  std::string path_of(const char* name) const { return path_ + "/" + name; }

 private:
  explicit StateDir(const std::string& path) : path_(path) {}
  std::string path_;
  FileDescriptor directory_;
  bool new_ = false;
};

/// Whoever governs, or gives back, holds this lock. It ends with the last process that has the
/// descriptor: a new governor waits for the supervisor of the one before it. `*this` is false when
/// somebody else has it.
class GovernorLock {
 public:
  static GovernorLock try_lock(const StateDir& dir) { return try_lock(dir, O_CREAT); }
  /// Of a folder that is perhaps no governor's: nothing is made there. Nothing where it has no such file.
  static std::optional<GovernorLock> try_lock_if_there(const StateDir& dir);
  explicit operator bool() const { return static_cast<bool>(file_); }
  int descriptor() const { return file_.get(); }

 private:
  explicit GovernorLock(FileDescriptor file) : file_(std::move(file)) {}
  static GovernorLock try_lock(const StateDir& dir, int flags);
  FileDescriptor file_;
};

/// Whoever governs the settings below a root holds this lock, wherever its state folder is: two with
/// state of their own would each take the other's limits for the user's. It ends as GovernorLock
/// does. Of "/" a file of kDefaultStateDir; of another root, which is a copy or a test's, the folder of
/// its CPUs. Nothing is held where there is neither: nothing can be governed there.
///
/// Beside it stands which state folder its last holder had, so that what that one left is found by who
/// has another: in kDefaultStateDir below the root, where there is a /run for it.
class MachineLock {
 public:
  /// `sysfs_root` as of TakeoverOptions. Waits up to `limit_ns` for a supervisor that gives back;
  /// throws Error (kFailure) when it is not to be had by then. `held` is called, while it waits, with the
  /// folder of who holds it (empty: unknown), and may throw instead.
  static MachineLock take(const std::string& sysfs_root, std::int64_t limit_ns,
                          const std::function<void(const std::string& folder)>& held = {});
  /// Whether a holder's folder stands there.
  static bool names_folder(const std::string& sysfs_root);
  /// -1 where nothing is held.
  int descriptor() const { return file_.get(); }

  /// The state folder of whoever held it last, by its whole path and trusted by nobody yet; empty where
  /// none is known.
  std::string last_folder() const;
  /// From now on it is this one. To be called before anything is changed that it would have to give back.
  void name_folder(const StateDir& dir) const;
  /// Nothing was left in it.
  void name_none() const noexcept;

 private:
  MachineLock(FileDescriptor file, FileDescriptor note)
      : file_(std::move(file)), note_(std::move(note)) {}
  FileDescriptor file_, note_;
};

/// Opens a file of that folder for reading and writing: a regular file of our own, by its only name,
/// that nobody else may write to. `*this` of the result is false, with errno set, when the system
/// refuses; throws Error (kFailure) when it is not such a file.
FileDescriptor open_state_file(const StateDir& dir, const char* name, int flags, mode_t others);

}  // namespace flyball
