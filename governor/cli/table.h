#pragma once

#include <string>
#include <vector>

namespace flyball::cli {

/// A table of text for people. The first column is the name of the row, on the left; the others
/// hold numbers, on the right, with the unit below the heading. A table wider than the terminal is
/// folded into blocks that repeat the first column.
class Table {
 public:
  struct Column {
    std::string heading;
    std::string unit;
    bool left = false;  ///< text rather than a number
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add_row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string render(int max_columns) const;
  /// As a table of Markdown.
  std::string markdown() const;

 private:
  std::vector<int> widths() const;
  void render_block(const std::vector<std::size_t>& block, const std::vector<int>& widths,
                    std::string& out) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// `value` with a fixed number of decimals, "-" when it is not a number, never "-0.0".
std::string fixed(double value, int decimals);

}  // namespace flyball::cli
