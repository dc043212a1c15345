#include <cctype>
#include <vector>

#include "governor/record/export.h"
#include "governor/record/json_text.h"
#include "governor/record/output_text.h"
#include "governor/record/record_columns.h"
#include "kernels/base/output_file.h"

namespace flyball {
namespace {

constexpr OutputKind kJsonOutput{"the JSON of a recording that 'record export' made",
                                 "{\"schema\": 1, \"kind\": \"flyball recording\","};

/// A table as an array of objects, a line each; the first line of cells are the keys.
class JsonRows final : public TableWriter {
 public:
  JsonRows(OutputText& file, std::string_view name) : file_(file) {
    file_.text() += ",\n";
    append_json(file_.text(), name);
    file_.text() += ": [";
  }
  void close() { file_.text() += "\n]"; }

  TableWriter& empty() override {
    begin_cell();
    file_.text() += "null";
    return *this;
  }
  TableWriter& text(std::string_view value) override {
    if (in_header_) {
      keys_.emplace_back(value);
    } else {
      begin_cell();
      append_json(file_.text(), value);
    }
    return *this;
  }
  void end_line() override {
    if (!in_header_) file_.text() += '}';
    in_header_ = false;
    column_ = 0;
    file_.flush_when_long();
  }

 private:
  void boolean(bool value) override {
    begin_cell();
    file_.text() += value ? "true" : "false";
  }
  void number(std::string_view digits) override {
    begin_cell();
    const bool finite = std::isdigit(static_cast<unsigned char>(digits.back()));
    file_.text() += finite ? digits : "null";
  }
  void begin_cell() {
    file_.text() += column_ > 0 ? ", " : rows_++ > 0 ? ",\n{" : "\n{";
    append_json(file_.text(), keys_[column_++]);
    file_.text() += ": ";
  }

  OutputText& file_;
  std::vector<std::string> keys_;
  std::size_t column_ = 0, rows_ = 0;
  bool in_header_ = true;
};

}  // namespace

RecordingReport export_json(const std::string& recording, const std::string& to) {
  RecordColumns columns(recording);
  if (to != "-") check_output("--out " + to, to, kJsonOutput);
  OutputText file(to);
  std::string& text = file.text();
  text += kJsonOutput.start;
  const auto say = [&](const char* key, std::string_view value) {
    text += fmt::format("\n\"{}\": ", key);
    append_json(text, value);
    text += ',';
  };
  say("platform", columns.info().platform.name);
  say("scenario", columns.info().scenario);
  say("policy", columns.info().policy);
  text += fmt::format("\n\"seed\": {}", columns.info().seed);
  // Epochs and jobs come mixed, and a document has one array after the other: two readings.
  JsonRows epochs(file, "epochs");
  columns.write(recording, &epochs, nullptr);
  epochs.close();
  JsonRows jobs(file, "jobs");
  const RecordingReport report = columns.write(recording, nullptr, &jobs);
  jobs.close();
  text += fmt::format(",\n\"complete\": {}\n}}\n", report.complete);
  file.put_in_place();
  return report;
}

}  // namespace flyball
