#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "governor/record/output_text.h"
#include "governor/record/table_writer.h"

namespace flyball {

/// A CSV file (RFC 4180) that takes its name when all of it is there.
class CsvFile final : public TableWriter {
 public:
  explicit CsvFile(std::string path) : file_(std::move(path)) {}

  TableWriter& empty() override {
    separate();
    return *this;
  }
  /// Quoted where RFC 4180 asks for it.
  TableWriter& text(std::string_view value) override {
    separate();
    std::string& line = file_.text();
    if (value.find_first_of(",\"\r\n") == std::string_view::npos) {
      line += value;
      return *this;
    }
    line += '"';
    for (const char c : value) line.append(c == '"' ? 2 : 1, c);
    line += '"';
    return *this;
  }
  void end_line() override {
    file_.text() += '\n';
    begun_ = false;
    file_.flush_when_long();
  }
  void put_in_place() { file_.put_in_place(); }

 private:
  void boolean(bool value) override { number(value ? "1" : "0"); }
  void number(std::string_view digits) override {
    separate();
    file_.text() += digits;
  }
  void separate() {
    if (begun_) file_.text() += ',';
    begun_ = true;
  }
  OutputText file_;
  bool begun_ = false;
};

}  // namespace flyball
