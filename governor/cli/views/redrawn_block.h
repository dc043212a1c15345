#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace flyball::cli {

/// Lines on a terminal that are drawn again in place. Makes the text; whoever has it writes it.
class RedrawnBlock {
 public:
  /// At most as many lines as the terminal has rows: what scrolled off could not be drawn again.
  std::string draw(std::vector<std::string> lines, int rows) {
    const auto room = static_cast<std::size_t>(std::max(2, rows - 1));
    if (lines.size() > room) lines.resize(room);
    std::string text = up();
    for (const std::string& line : lines) text += line + "\033[K\n";
    drawn_lines_ = static_cast<int>(lines.size());
    return text + "\033[J";
  }
  std::string clear() {
    std::string text = drawn_lines_ > 0 ? up() + "\033[J" : "";
    drawn_lines_ = 0;
    return text;
  }

 private:
  std::string up() const {
    return drawn_lines_ > 0 ? "\033[" + std::to_string(drawn_lines_) + "A\r" : "";
  }
  int drawn_lines_ = 0;
};

}  // namespace flyball::cli
