#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>

#include "governor/fit/columns.h"
#include "governor/fit/measurement.h"
#include "governor/fit/table_text.h"
#include "governor/import/samples.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr std::size_t kMaxSamples = 5'000'000;
constexpr double kMostMw = 1e9, kMostC = 10'000, kMostSeconds = 1e11;

/// In `fit`, time is a job's; here it is the log's, mostly in seconds.
std::optional<double> seconds_of(std::string_view heading) {
  const std::string name = plain_heading(heading);
  constexpr std::array<std::pair<std::string_view, double>, 5> kUnits{
      {{"", 1}, {"_s", 1}, {"_ms", 1e-3}, {"_us", 1e-6}, {"_ns", 1e-9}}};
  for (const std::string_view word : {"time", "timestamp", "t", "ts", "elapsed"})
    for (const auto& [unit, factor] : kUnits)
      if (name == std::string(word) + std::string(unit)) return factor;
  return std::nullopt;
}

class SampleReader {
 public:
  SampleReader(const std::string& path, SampleLog& into) : path_(path), into_(into), lines_(path) {}

  void read() {
    into_.files.push_back(path_);
    const std::size_t before = into_.samples.size();
    std::string_view line;
    while (lines_.next(line)) {
      if (line.empty() || line.front() == '#') continue;
      if (headings_.empty())
        read_headings(line);
      else
        read_row(line);
      // Many write no last end of line, and then nothing is missing: not refused, but said.
      if (!lines_.ended())
        into_.notes.push_back(lines_.where() +
                              ": the last line has no end; its last figure may be cut off.");
    }
    if (into_.samples.size() == before)
      input_error(path_, "has no rows", "name a table with samples below its heading");
  }

 private:
  void read_headings(std::string_view line) {
    separator_ = separator_of(line);
    headings_ = cells_of(line, separator_);
    std::string ignored;
    for (std::size_t c = 0; c < headings_.size(); ++c) {
      if (const auto factor = seconds_of(headings_[c])) {
        claim(time_, c);
        seconds_ = *factor;
        continue;
      }
      const std::optional<Column> column = column_of(headings_[c]);
      const std::map<Quantity, int*> places = {{Quantity::kMhz, &mhz_},
                                               {Quantity::kPowerMw, &power_},
                                               {Quantity::kTempC, &temp_},
                                               {Quantity::kUnit, &unit_},
                                               {Quantity::kCores, &cores_}};
      const auto place = column ? places.find(column->quantity) : places.end();
      if (place == places.end()) {
        if (!headings_[c].empty())
          ignored += (ignored.empty() ? "" : ", ") + shown_text(headings_[c]);
        continue;
      }
      claim(*place->second, c);
      scales_[c] = *column;
      if (column->names_unit) continue;
      if (column->quantity == Quantity::kPowerMw) note_unit(headings_[c], "mW");
      if (column->quantity == Quantity::kMhz) note_unit(headings_[c], "MHz");
    }
    if (time_ < 0) missing("time", "time_s");
    if (mhz_ < 0) missing("clock", "freq_mhz");
    if (power_ < 0) missing("power", "power_mw");
    if (cores_ >= 0) into_.has_cores = true;
    if (!ignored.empty())
      into_.notes.push_back(fmt::format("{}: ignored columns: {}.", path_, ignored));
  }

  void note_unit(const std::string& heading, const char* unit) {
    into_.notes.push_back(
        fmt::format("{}: column '{}' names no unit and is taken as {}.", path_, heading, unit));
  }

  void claim(int& place, std::size_t column) {
    if (place >= 0)
      input_error(lines_.where(),
                  fmt::format("columns '{}' and '{}' are the same quantity",
                              shown_text(headings_[static_cast<std::size_t>(place)]),
                              shown_text(headings_[column])),
                  "keep one of the two");
    place = static_cast<int>(column);
  }

  [[noreturn]] void missing(const char* what, const char* heading) const {
    input_error(lines_.where(),
                fmt::format("no column gives the {}; it has: {}", what,
                            shown_text(fmt::format("{}", fmt::join(headings_, ", ")))),
                fmt::format("add a column '{}', or name it so", heading));
  }

  double cell(const std::vector<std::string>& cells, int column, double factor, double offset,
              double least, double most) const {
    const std::string& text = cells[static_cast<std::size_t>(column)];
    const auto what = [&] {
      return fmt::format("{}: {} '{}'", lines_.where(),
                         shown_text(headings_[static_cast<std::size_t>(column)]), shown_text(text));
    };
    double value = 0;
    if (!to_number(text, value))
      input_error(what(), "is not a number", "mend it, or remove the row");
    value = value * factor + offset;
    if (!(value >= least && value <= most))
      input_error(what(), "is beyond what any board has",
                  "check the number, and the unit in the heading");
    return value;
  }

  double scaled(const std::vector<std::string>& cells, int column, double least,
                double most) const {
    const Column& scale = scales_.at(static_cast<std::size_t>(column));
    return cell(cells, column, scale.factor, scale.offset, least, most);
  }

  void read_row(std::string_view line) {
    const std::vector<std::string> cells = cells_of(line, separator_);
    if (cells.size() != headings_.size())
      input_error(
          lines_.where(),
          fmt::format("has {} cells, and {} columns are named", cells.size(), headings_.size()),
          "it may be cut off: mend the row, or remove it");
    Sample sample;
    sample.file = static_cast<int>(into_.files.size()) - 1;
    sample.line = lines_.number();
    sample.time_s = cell(cells, time_, seconds_, 0, -kMostSeconds, kMostSeconds);
    sample.mhz = scaled(cells, mhz_, 1, 10'000);
    sample.power_mw = scaled(cells, power_, -kMostMw, kMostMw);
    if (temp_ >= 0 && !cells[static_cast<std::size_t>(temp_)].empty())
      sample.temp_c = scaled(cells, temp_, -kMostC, kMostC);
    if (cores_ >= 0) {
      const double cores = scaled(cells, cores_, 0, 255);
      if (cores != std::floor(cores))
        input_error(fmt::format("{}: cores '{:g}'", lines_.where(), cores), "is not a whole number",
                    "give the number of busy cores");
      sample.cores = static_cast<int>(cores);
    }
    sample.unit = unit_ < 0 ? kNoUnitNamed : unit_name(cells[static_cast<std::size_t>(unit_)]);
    if (sample.unit.empty()) input_error(lines_.where(), "names no unit", "give the unit a name");
    const auto [last, first] = last_s_.try_emplace(sample.unit, sample.time_s);
    if (!first && sample.time_s < last->second)
      input_error(
          lines_.where(),
          fmt::format("time goes back from {:.10g} to {:.10g} s", last->second, sample.time_s),
          "sort the rows by time, or import the logs one after the other");
    last->second = sample.time_s;
    into_.samples.push_back(std::move(sample));
    if (into_.samples.size() > kMaxSamples)
      input_error(path_, fmt::format("has more than {} rows", kMaxSamples), "split it");
  }

  const std::string path_;
  SampleLog& into_;
  TextLines lines_;
  char separator_ = ',';
  std::vector<std::string> headings_;
  std::map<std::size_t, Column> scales_;
  int time_ = -1, mhz_ = -1, power_ = -1, temp_ = -1, unit_ = -1, cores_ = -1;
  double seconds_ = 1;
  std::map<std::string, double> last_s_;
};

}  // namespace

void read_samples(const std::string& path, SampleLog& into) { SampleReader(path, into).read(); }

}  // namespace flyball
