#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/base/error.h"
#include "kernels/base/whole_file.h"

namespace flyball {

/// A text file of any length that takes its name when all of it is there; little of it is in memory
/// at a time. Throws Error (kFailure) that names it.
class OutputText {
 public:
  /// "-" is standard output.
  explicit OutputText(std::string path) : path_(std::move(path)) {
    if (!is_standard_output()) check(file_.begin(path_));
  }

  /// Where to append; flush_when_long() after every record.
  std::string& text() { return text_; }
  void flush_when_long() {
    if (text_.size() >= kBufferBytes) write();
  }
  void put_in_place() {
    write();
    if (!is_standard_output()) check(file_.put_in_place());
  }

 private:
  static constexpr std::size_t kBufferBytes = 64 * 1024;
  bool is_standard_output() const { return path_ == "-"; }
  void write() {
    if (is_standard_output())
      print();
    else
      check(file_.write(text_));
    text_.clear();
  }
  void print() const {
    for (std::size_t at = 0; at < text_.size();) {
      const ssize_t part = ::write(STDOUT_FILENO, text_.data() + at, text_.size() - at);
      if (part < 0 && errno == EINTR) continue;
      if (part < 0 && errno == EPIPE) return;  // who read it has what it wanted
      if (part <= 0) check({std::strerror(errno), errno});
      at += static_cast<std::size_t>(part);
    }
  }
  void check(const FileStatus& status) const {
    if (!status)
      failure(path_, "cannot be written: " + status.why,
              "choose a folder that can be written, on a disk with room");
  }
  std::string path_;
  FileReplacement file_;
  std::string text_;
};

}  // namespace flyball
