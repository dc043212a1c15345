#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string_view>

#include "env/config/yaml.h"
#include "governor/fit/columns.h"
#include "governor/fit/measurement.h"
#include "governor/fit/table_text.h"
#include "kernels/base/error.h"
#include "kernels/base/read_file.h"

namespace flyball {
namespace {

constexpr std::size_t kMaxBytes = 16 << 20;
constexpr std::size_t kMaxRows = 10'000;
constexpr double kMost = 1e9;  // ms, mW, mJ: eleven days, a megawatt

/// What freqbench works out of its other columns.
bool is_derived(std::string_view heading) {
  return heading == "CoreMarks/MHz" || heading == "ULPMark-CM (iter/mJ)";
}

class TableReader {
 public:
  TableReader(std::string path, Measurements& into) : path_(std::move(path)), into_(into) {}

  void read() {
    const std::string bytes = read_file(path_, kMaxBytes);
    const auto same = std::find(into_.contents.begin(), into_.contents.end(), bytes);
    if (same != into_.contents.end()) {
      into_.notes.push_back(
          fmt::format("{}: is byte for byte {}, which is one device measured once: left out.",
                      path_, into_.files[static_cast<std::size_t>(same - into_.contents.begin())]));
      return;
    }
    into_.contents.push_back(bytes);
    into_.files.push_back(path_);
    std::string_view text = bytes;
    if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
    const std::size_t rows = into_.rows.size();
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      const std::string_view line = without_blanks(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
      ++line_;
      if (line.empty() || line.front() == '#') continue;
      if (columns_.empty())
        read_headings(line);
      else if (const auto [first, is_new] = lines_.emplace(line, line_); is_new)
        read_row(line);
      else
        repeated_.push_back(fmt::format("{} (as {})", line_, first->second));
    }
    if (!repeated_.empty()) {
      constexpr std::size_t kNamed = 5;
      const std::size_t all = repeated_.size();
      repeated_.resize(std::min(all, kNamed));
      into_.notes.push_back(
          fmt::format("{}: {} row{} left out, byte for byte one before, which is no second "
                      "measurement: line {}{}.",
                      path_, all, all == 1 ? " is" : "s are", fmt::join(repeated_, ", "),
                      all > kNamed ? fmt::format(" and {} more", all - kNamed) : ""));
    }
    if (columns_.empty())
      input_error(path_, "is empty", "name a table whose first line names its columns");
    if (into_.rows.size() == rows)
      input_error(path_, "has no rows", "name a table with measurements");
  }

 private:
  std::string where() const { return fmt::format("{}:{}", path_, line_); }

  bool has(Quantity quantity) const {
    return std::any_of(columns_.begin(), columns_.end(),
                       [=](const auto& column) { return column && column->quantity == quantity; });
  }

  void read_headings(std::string_view line) {
    separator_ = separator_of(line);
    headings_ = cells_of(line, separator_);
    std::string ignored;
    for (const std::string& heading : headings_) {
      std::optional<Column> column = column_of(heading);
      if (column && has(column->quantity)) {
        input_error(where(),
                    fmt::format("column '{}' gives the {} a second time", shown_text(heading),
                                heading_of(column->quantity)),
                    "keep one of the two");
      }
      if (!column && !heading.empty() && !is_derived(heading))
        ignored += (ignored.empty() ? "" : ", ") + shown_text(heading);
      columns_.push_back(column);
    }
    if (!has(Quantity::kMhz)) missing("the clock", "a column 'mhz' or 'freq_khz'");
    const bool time = has(Quantity::kTimeMs) || has(Quantity::kRate);
    if (!has(Quantity::kPowerMw) && !(has(Quantity::kEnergyMj) && time))
      missing("the power", "a column 'power_mw', or 'energy_mj' beside 'time_ms'");
    if (into_.files.size() > 1 && into_.coremark != has(Quantity::kRate))
      input_error(path_, "freqbench's tables and others have jobs of their own",
                  "fit them one after the other");
    into_.coremark = has(Quantity::kRate);
    if (!ignored.empty())
      into_.notes.push_back(fmt::format("{}: ignored columns: {}.", path_, ignored));
  }

  [[noreturn]] void missing(const char* what, const char* remedy) const {
    input_error(where(),
                fmt::format("no column gives {}; it has: {}", what,
                            shown_text(fmt::format("{}", fmt::join(headings_, ", ")))),
                fmt::format("add {}", remedy));
  }

  double number(std::size_t column, const std::string& cell) const {
    double value = 0;
    if (!to_number(cell, value)) {
      input_error(
          fmt::format("{}: {} '{}'", where(), shown_text(headings_[column]), shown_text(cell)),
          "is not a number",
          "mend it, leave it empty where nothing was measured, or remove the row");
    }
    return value * columns_[column]->factor + columns_[column]->offset;
  }

  double ranged(std::size_t column, const std::string& cell, double min, double max) const {
    const double value = number(column, cell);
    if (value >= min && value <= max) return value;
    input_error(
        fmt::format("{}: {} '{}'", where(), shown_text(headings_[column]), shown_text(cell)),
        fmt::format("is not from {:g} to {:g} in {}", min, max,
                    heading_of(columns_[column]->quantity)),
        "check the number and the unit in the heading");
  }

  void read_row(std::string_view line) {
    const std::vector<std::string> cells = cells_of(line, separator_);
    if (cells.size() != columns_.size()) {
      input_error(
          where(),
          fmt::format("has {} cells, and {} columns are named", cells.size(), columns_.size()),
          "give a cell for each column, empty where nothing was measured");
    }
    Measurement row;
    row.file = static_cast<int>(into_.files.size()) - 1;
    row.line = line_;
    if (!has(Quantity::kUnit)) row.unit = "cpu";
    bool clocked = false;
    std::optional<double> rate;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      if (!columns_[c] || cells[c].empty()) continue;
      switch (columns_[c]->quantity) {
        case Quantity::kUnit:
          row.unit = unit_name(cells[c]);
          if (row.unit.empty())
            input_error(
                fmt::format("{}: {} '{}'", where(), shown_text(headings_[c]), shown_text(cells[c])),
                "has no letter or digit", "give the unit a name");
          break;
        case Quantity::kMhz:
          row.mhz = ranged(c, cells[c], 1, 10'000);
          clocked = true;
          break;
        case Quantity::kCores:
          row.cores = ranged(c, cells[c], 0, 255);
          if (row.cores != std::floor(row.cores))
            input_error(fmt::format("{}: cores '{}'", where(), shown_text(cells[c])),
                        "is not a whole number", "give the number of busy cores");
          break;
        case Quantity::kWidth:
          row.width_pct = ranged(c, cells[c], 1, 100);
          if (row.width_pct != std::floor(row.width_pct))
            input_error(fmt::format("{}: width '{}'", where(), shown_text(cells[c])),
                        "is not a whole number", "give the width in percent");
          break;
        case Quantity::kIdle:
          row.idle_clocked = idle_clocked(cells[c]);
          break;
        case Quantity::kTimeMs:
          row.time_ms = ranged(c, cells[c], -kMost, kMost);
          break;
        case Quantity::kRate:
          rate = ranged(c, cells[c], -kMost, kMost);
          break;
        case Quantity::kPowerMw:
          row.power_mw = ranged(c, cells[c], -kMost, kMost);
          break;
        case Quantity::kEnergyMj:
          row.energy_mj = ranged(c, cells[c], -kMost, kMost);
          break;
        case Quantity::kTempC:
          row.temp_c = ranged(c, cells[c], -60, 200);
          break;
        case Quantity::kVoltageMv:
          row.voltage_mv = ranged(c, cells[c], 100, 3000);
          break;
        case Quantity::kAccuracyPct:
          row.accuracy_pct = ranged(c, cells[c], 0, 100);
          break;
      }
    }
    if (row.unit.empty()) input_error(where(), "the row has no unit", "give it, or remove the row");
    if (!clocked) input_error(where(), "the row has no clock", "give it, or remove the row");
    if (rate) use_rate(*rate, row);
    into_.rows.push_back(std::move(row));
    if (into_.rows.size() > kMaxRows)
      input_error(path_, fmt::format("makes more than {} rows", kMaxRows),
                  "keep those that matter");
  }

  bool idle_clocked(const std::string& cell) const {
    if (cell == "clocked") return true;
    if (cell == "gated") return false;
    input_error(
        fmt::format("{}: idle '{}'", where(), shown_text(cell)), "is neither clocked nor gated",
        "say which of the two the idle cores were" + did_you_mean(cell, {"clocked", "gated"}));
  }

  /// freqbench's time and energy are those of its whole run, whose length the rate tells.
  static void use_rate(double rate, Measurement& row) {
    const double whole_ms = row.time_ms.value_or(0);
    row.time_ms = rate > 0 ? kCoreMarkJob / rate * 1e3 : 0;
    if (!row.energy_mj) return;
    if (whole_ms > 0)
      *row.energy_mj *= *row.time_ms / whole_ms;
    else
      row.energy_mj.reset();
  }

  std::string path_;
  Measurements& into_;
  int line_ = 0;
  char separator_ = ',';
  std::map<std::string, int, std::less<>> lines_;  ///< rows read, with their numbers
  std::vector<std::string> repeated_;
  std::vector<std::string> headings_;
  std::vector<std::optional<Column>> columns_;
};

}  // namespace

bool is_null_word(std::string_view name) {
  return name == "null" || name == "Null" || name == "NULL";
}

std::string unit_name(std::string_view cell) {
  std::string name;
  for (const char each : cell) {
    const bool keep = std::isalnum(static_cast<unsigned char>(each)) != 0 || each == '-';
    if (keep)
      name += each;
    else if (!name.empty() && name.back() != '_')
      name += '_';
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  // freqbench numbers CPUs, and mappings like "1x2" would not say what they are.
  const bool number = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isdigit(c) != 0;
  });
  if (number || is_null_word(name)) name = "cpu" + name;
  return name.substr(0, 24);
}

void read_table(const std::string& path, Measurements& into) { TableReader(path, into).read(); }

}  // namespace flyball
