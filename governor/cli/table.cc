#include "governor/cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "governor/cli/terminal.h"

namespace flyball::cli {
namespace {

constexpr int kGap = 2;  // blanks between columns

void pad(const std::string& text, int width, bool left, std::string& out) {
  const std::string blanks(static_cast<std::size_t>(std::max(0, width - display_width(text))), ' ');
  out += left ? text + blanks : blanks + text;
}

}  // namespace

std::string fixed(double value, int decimals) {
  if (!std::isfinite(value)) return "-";
  const double half_of_last = 0.5 * std::pow(10.0, -decimals);
  if (std::abs(value) < half_of_last) value = 0;
  return fmt::format("{:.{}f}", value, decimals);
}

std::vector<int> Table::widths() const {
  std::vector<int> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    int width = std::max(display_width(columns_[c].heading), display_width(columns_[c].unit));
    for (const auto& row : rows_) width = std::max(width, display_width(row[c]));
    widths.push_back(width);
  }
  return widths;
}

void Table::render_block(const std::vector<std::size_t>& block, const std::vector<int>& widths,
                         std::string& out) const {
  const auto line = [&](auto&& cell_of) {
    std::string text;
    for (const std::size_t c : block) {
      if (c != 0) text.append(kGap, ' ');
      pad(cell_of(c), widths[c], c == 0 || columns_[c].left, text);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + '\n';
  };
  line([&](std::size_t c) { return columns_[c].heading; });
  const bool has_units = std::any_of(block.begin(), block.end(),
                                     [&](std::size_t c) { return !columns_[c].unit.empty(); });
  if (has_units) line([&](std::size_t c) { return columns_[c].unit; });
  int total = -kGap;
  for (const std::size_t c : block) total += widths[c] + kGap;
  out += std::string(static_cast<std::size_t>(std::max(0, total)), '-') + '\n';
  for (const auto& row : rows_) line([&](std::size_t c) { return row[c]; });
}

std::string Table::render(int max_columns) const {
  const std::vector<int> widths = this->widths();
  std::string out;
  std::vector<std::size_t> block = {0};
  int used = widths[0];
  for (std::size_t c = 1; c < columns_.size(); ++c) {
    if (used + kGap + widths[c] > max_columns && block.size() > 1) {
      render_block(block, widths, out);
      out += '\n';
      block = {0};
      used = widths[0];
    }
    block.push_back(c);
    used += kGap + widths[c];
  }
  render_block(block, widths, out);
  return out;
}

std::string Table::markdown() const {
  const auto cell = [](std::string text) {
    for (std::size_t i = 0; (i = text.find('|', i)) != text.npos; i += 2) text.insert(i, 1, '\\');
    return ' ' + text + " |";
  };
  std::string out = "|", rule = "|";
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    const Column& column = columns_[c];
    out += cell(column.heading + (column.unit.empty() ? "" : ", " + column.unit));
    rule += c == 0 || column.left ? "-|" : "-:|";
  }
  out += '\n' + rule + '\n';
  for (const auto& row : rows_) {
    out += '|';
    for (const std::string& text : row) out += cell(text);
    out += '\n';
  }
  return out;
}

}  // namespace flyball::cli
