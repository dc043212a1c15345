#include "env/linux/actuate/setting_calls.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

namespace flyball {
namespace {

struct LinuxSettingCalls final : SettingCalls {
  int open_file(const char* path, bool to_write) noexcept override {
    const int access = to_write ? O_RDWR : O_RDONLY;
    const int fd = open(path, access | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return -errno;
    struct stat status;
    const int error = fstat(fd, &status) != 0 ? errno : S_ISREG(status.st_mode) ? 0 : EINVAL;
    if (error == 0) return fd;
    close(fd);
    return -error;
  }
  ssize_t read_file(int fd, char* buffer, std::size_t bytes) noexcept override {
    const ssize_t got = pread(fd, buffer, bytes, 0);
    return got < 0 ? -errno : got;
  }
  ssize_t write_file(int fd, const char* bytes, std::size_t size) noexcept override {
    const ssize_t put = pwrite(fd, bytes, size, 0);
    if (put < 0) return -errno;
    // A copy of sysfs would keep the end of a longer value. Not before: whoever is killed in between
    // would leave no value at all.
    struct statfs system;
    if (fstatfs(fd, &system) != 0 || system.f_type == SYSFS_MAGIC) return put;
    return ftruncate(fd, put) == 0 ? put : -errno;
  }
  void close_file(int fd) noexcept override { close(fd); }
};

}  // namespace

SettingCalls& linux_setting_calls() {
  static LinuxSettingCalls calls;
  return calls;
}

}  // namespace flyball
