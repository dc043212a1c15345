#pragma once

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/base/error.h"
#include "kernels/base/whole_file.h"

namespace flyball {

/// A CSV file (RFC 4180) that takes its name when all of it is there.
class CsvFile {
 public:
  explicit CsvFile(std::string path) : path_(std::move(path)) { check(file_.begin(path_)); }

  template <class T>
  CsvFile& cell(const T& value) {
    separate();
    fmt::format_to(std::back_inserter(line_), "{}", value);
    return *this;
  }
  CsvFile& cell(bool value) { return cell(value ? 1 : 0); }
  /// 12 digits: what was rounded to a monitor's resolution looks so. Nothing for NaN.
  CsvFile& cell(double value) {
    separate();
    if (!std::isnan(value)) fmt::format_to(std::back_inserter(line_), "{:.12g}", value);
    return *this;
  }
  CsvFile& cell(float value) {
    separate();
    if (!std::isnan(value)) fmt::format_to(std::back_inserter(line_), "{:.6g}", value);
    return *this;
  }
  CsvFile& empty() {
    separate();
    return *this;
  }
  /// Quoted where RFC 4180 asks for it.
  CsvFile& text(std::string_view value) {
    separate();
    if (value.find_first_of(",\"\r\n") == std::string_view::npos) {
      line_ += value;
      return *this;
    }
    line_ += '"';
    for (const char c : value) line_.append(c == '"' ? 2 : 1, c);
    line_ += '"';
    return *this;
  }
  void end_line() {
    text_ += line_;
    text_ += '\n';
    line_.clear();
    begun_ = false;
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
  void separate() {
    if (begun_) line_ += ',';
    begun_ = true;
  }
  std::string path_;
  FileReplacement file_;
  std::string text_, line_;
  bool begun_ = false;
};

}  // namespace flyball
