#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "env/linux/actuate/setting_calls.h"

namespace flyball {

/// A file that is read again and again through a held descriptor. One that is gone is opened anew
/// with the next reading. Never allocates after construction.
class HeldFile {
 public:
  HeldFile(SettingCalls& calls, std::string path) : calls_(&calls), path_(std::move(path)) {}
  HeldFile(HeldFile&& other) noexcept
      : calls_(other.calls_), path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
  HeldFile& operator=(HeldFile&& other) noexcept {
    std::swap(calls_, other.calls_);
    std::swap(path_, other.path_);
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~HeldFile() {
    if (fd_ >= 0) calls_->close_file(fd_);
  }
  /// How many bytes, or -errno.
  ssize_t read(char* buffer, std::size_t bytes) noexcept {
    if (fd_ < 0) fd_ = calls_->open_file(path_.c_str(), false);
    if (fd_ < 0) return fd_;
    ssize_t got = -EINTR;
    for (int i = 0; got == -EINTR && i < 8; ++i) got = calls_->read_file(fd_, buffer, bytes);
    if (got == -ENODEV || got == -EBADF) calls_->close_file(std::exchange(fd_, -1));
    return got;
  }
  /// A number with or without a fraction at the start of the file; false when there is none.
  bool read_number(double& value) noexcept;

 private:
  SettingCalls* calls_;
  std::string path_;
  int fd_ = -1;
};

}  // namespace flyball
