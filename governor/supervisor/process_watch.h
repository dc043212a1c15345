#pragma once

#include <cstdint>

#include "governor/supervisor/process_identity.h"
#include "kernels/base/file_descriptor.h"

namespace flyball {

/// The end of a process that need not be a child, and a way to bring it about. By a pidfd, so that
/// another process with its number is never taken for it; before Linux 5.3 by looking every 50 ms.
class ProcessWatch {
 public:
  explicit ProcessWatch(const ProcessIdentity& process);
  /// True when it has ended, or false at this monotonic time.
  bool wait_for_end(std::int64_t until_ns) const;
  bool has_ended() const { return wait_for_end(0); }
  void kill() const;

 private:
  ProcessIdentity process_;
  FileDescriptor pidfd_;
  bool had_ended_;
};

}  // namespace flyball
