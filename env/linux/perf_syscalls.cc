#include "env/linux/perf_syscalls.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace flyball {

namespace {

template <typename Result>
Result or_error(Result result) {
  return result < 0 ? static_cast<Result>(-errno) : result;
}

struct LinuxPerfSyscalls final : PerfSyscalls {
  int open_event(const perf_event_attr& attr, pid_t tid, int cpu, int group) noexcept override {
    return static_cast<int>(
        or_error(syscall(SYS_perf_event_open, &attr, tid, cpu, group, PERF_FLAG_FD_CLOEXEC)));
  }
  int open_file(const char* path) noexcept override {
    return or_error(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  }
  ssize_t read_event(int fd, void* buffer, std::size_t bytes) noexcept override {
    return or_error(::read(fd, buffer, bytes));
  }
  ssize_t read_file(int fd, void* buffer, std::size_t bytes) noexcept override {
    return or_error(pread(fd, buffer, bytes, 0));
  }
  void close(int fd) noexcept override { ::close(fd); }
};

}  // namespace

PerfSyscalls& linux_perf_syscalls() {
  static LinuxPerfSyscalls calls;
  return calls;
}

}  // namespace flyball
