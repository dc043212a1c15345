#include "governor/fit/voltages.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "governor/fit/measurement.h"
#include "kernels/base/error.h"
#include "kernels/base/read_file.h"
#include "kernels/base/split.h"

namespace flyball {
namespace {

constexpr std::size_t kMaxVoltagesBytes = 1 << 20;

/// The whole of `text` as a number; NaN when it is none.
double number(std::string_view text) {
  double value{};
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && stop == text.data() + text.size() ? value : std::nan("");
}

}  // namespace

Voltages read_voltages(const std::string& path) {
  std::string bytes = read_file(path, kMaxVoltagesBytes);
  std::replace_if(
      bytes.begin(), bytes.end(), [](char c) { return c == '\t' || c == '\r'; }, ' ');
  Voltages voltages;
  int line = 0;
  for (std::string_view text = bytes; !text.empty();) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view content = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line;
    content = content.substr(0, content.find('#'));
    for (const std::string_view entry : split(content, ' ')) {
      const auto refuse = [&](const std::string& why) {
        input_error(fmt::format("{}:{}: '{}'", path, line, entry.substr(0, 40)), why,
                    "write CPU.KHZ=UV, as in '4.1800000=950000'");
      };
      const std::size_t equals = entry.find('=');
      if (equals == entry.npos) refuse("has no '='");
      const std::size_t dot = entry.rfind('.', equals);
      if (dot == entry.npos) refuse("has no '.' between CPU and kHz");
      const std::string unit = unit_name(entry.substr(0, dot));
      const double khz = number(entry.substr(dot + 1, equals - dot - 1));
      const double uv = number(entry.substr(equals + 1));
      if (unit.empty()) refuse("names no CPU");
      if (!(khz >= 1e3 && khz <= 1e7))
        refuse("the clock is not a number of kHz from 1000 to 10000000");
      if (!(uv >= 1e5 && uv <= 3e6))
        refuse("the voltage is not a number of uV from 100000 to 3000000");
      const auto [known, is_new] = voltages.emplace(std::pair(unit, std::lround(khz)), uv / 1e3);
      if (!is_new && known->second != uv / 1e3) refuse("gives the same clock another voltage");
    }
  }
  if (voltages.empty()) input_error(path, "has no voltages", "write CPU.KHZ=UV, a line each");
  return voltages;
}

}  // namespace flyball
