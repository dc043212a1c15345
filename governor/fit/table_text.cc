#include "governor/fit/table_text.h"

#include <cctype>
#include <charconv>
#include <cmath>

namespace flyball {

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::vector<std::string> cells_of(std::string_view line, char separator) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == separator && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  for (std::string& cell : cells) cell = std::string(without_blanks(cell));
  return cells;
}

char separator_of(std::string_view headings) {
  for (const char each : {',', ';', '\t'})
    if (headings.find(each) != headings.npos) return each;
  return ',';
}

std::string plain_heading(std::string_view heading) {
  std::string text;
  for (const char each : heading) {
    const auto c = static_cast<unsigned char>(each);
    if (std::isalnum(c)) {
      text += static_cast<char>(std::tolower(c));
    } else if (c == '%') {
      text += text.empty() || text.back() == '_' ? "pct" : "_pct";
    } else if (!text.empty() && text.back() != '_') {
      text += '_';
    }
  }
  while (!text.empty() && text.back() == '_') text.pop_back();
  return text;
}

std::string shown_text(std::string_view text) {
  constexpr std::size_t kShownBytes = 60;
  return std::string(text.substr(0, kShownBytes)) + (text.size() > kShownBytes ? "..." : "");
}

bool to_number(std::string_view text, double& value) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && stop == text.data() + text.size() && std::isfinite(value);
}

}  // namespace flyball
