#include "governor/cli/views/sparkline.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace flyball::cli {
namespace {

constexpr std::array<const char*, 9> kBlocks = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::array<const char*, 9> kAscii = {" ", "_", ".", ":", "-", "=", "+", "*", "#"};

}  // namespace

std::string sparkline(const std::vector<double>& values, double top, bool unicode) {
  const auto& heights = unicode ? kBlocks : kAscii;
  std::string text;
  for (const double value : values) {
    const double share = top > 0 && value > 0 ? std::min(1.0, value / top) : 0;
    // What is there at all is seen.
    const double height = std::ceil(share * static_cast<double>(heights.size() - 1));
    text += heights[static_cast<std::size_t>(height)];
  }
  return text;
}

}  // namespace flyball::cli
