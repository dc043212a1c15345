#pragma once

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
  std::string path_of(const char* name) const { return path_ + "/" + name; }

 private:
  explicit StateDir(const std::string& path) : path_(path) {}
  std::string path_;
  FileDescriptor directory_;
};

/// Whoever governs, or gives back, holds this lock. It ends with the last process that has the
/// descriptor: a new governor waits for the supervisor of the one before it. `*this` is false when
/// somebody else has it.
class GovernorLock {
 public:
  static GovernorLock try_lock(const StateDir& dir);
  explicit operator bool() const { return static_cast<bool>(file_); }
  int descriptor() const { return file_.get(); }

 private:
  explicit GovernorLock(FileDescriptor file) : file_(std::move(file)) {}
  FileDescriptor file_;
};

/// Opens a file of that folder for reading and writing: a regular file of our own, by its only name,
/// that nobody else may write to. `*this` of the result is false, with errno set, when the system
/// refuses; throws Error (kFailure) when it is not such a file.
FileDescriptor open_state_file(const StateDir& dir, const char* name, int flags, mode_t others);

}  // namespace flyball
