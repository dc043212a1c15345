#pragma once

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
  explicit OutputText(std::string path) : path_(std::move(path)) { check(file_.begin(path_)); }

  /// Where to append; flush_when_long() after every record.
  std::string& text() { return text_; }
  void flush_when_long() {
    if (text_.size() >= kBufferBytes) write();
  }
  void put_in_place() {
    write();
    check(file_.put_in_place());
  }

 private:
  static constexpr std::size_t kBufferBytes = 64 * 1024;
  void write() {
    check(file_.write(text_));
    text_.clear();
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
