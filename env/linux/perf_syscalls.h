#pragma once

#include <linux/perf_event.h>
#include <sys/types.h>

#include <cstddef>

namespace flyball {

/// The system calls that counters need, so that tests can put a scripted Linux kernel in their
/// place. What fails returns -errno; an interrupted call (-EINTR) is the caller's to repeat.
struct PerfSyscalls {
  virtual ~PerfSyscalls() = default;
  /// perf_event_open(2), close-on-exec.
  virtual int open_event(const perf_event_attr& attr, pid_t tid, int cpu, int group) noexcept = 0;
  /// open(2) for reading, close-on-exec.
  virtual int open_file(const char* path) noexcept = 0;
  virtual ssize_t read_event(int fd, void* buffer, std::size_t bytes) noexcept = 0;
  /// From the start of the file.
  virtual ssize_t read_file(int fd, void* buffer, std::size_t bytes) noexcept = 0;
  virtual void close(int fd) noexcept = 0;
};

/// Those of this machine.
PerfSyscalls& linux_perf_syscalls();

}  // namespace flyball
