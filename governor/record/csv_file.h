#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/base/error.h"

namespace flyball {

/// A CSV file (RFC 4180) that reports a full disk when it is closed.
class CsvFile {
 public:
  explicit CsvFile(std::string path)
      : path_(std::move(path)), file_(std::fopen(path_.c_str(), "w")) {
    if (file_ == nullptr) fail();
  }
  ~CsvFile() {
    if (file_ != nullptr) std::fclose(file_);
  }
  CsvFile(const CsvFile&) = delete;
  CsvFile& operator=(const CsvFile&) = delete;

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
    line_ += '\n';
    std::fwrite(line_.data(), 1, line_.size(), file_);
    line_.clear();
    begun_ = false;
  }
  void close() {
    const bool bad = std::ferror(file_) != 0;
    const int closed = std::fclose(file_);
    file_ = nullptr;
    if (bad || closed != 0) fail();
  }

 private:
  void separate() {
    if (begun_) line_ += ',';
    begun_ = true;
  }
  [[noreturn]] void fail() {
    failure(path_, fmt::format("cannot be written: {}", std::strerror(errno)),
            "choose a folder that can be written, on a disk with room");
  }
  std::string path_;
  std::FILE* file_;
  std::string line_;
  bool begun_ = false;
};

}  // namespace flyball
