#include "governor/import/flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kernels/base/error.h"
#include "kernels/base/read_file.h"

namespace flyball {
namespace {

constexpr std::size_t kMaxTextBytes = 1u << 30;
constexpr std::size_t kShownRanges = 8;
constexpr std::size_t kShownBytes = 60;

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

}  // namespace

void ImportFlags::add(const std::string& file, long line, const std::string& why) {
  const auto [place, is_new] = index_.try_emplace({file, why}, flags_.size());
  if (is_new) flags_.push_back({file, why, {}});
  std::vector<long>& of = flags_[place->second].lines;
  if (!of.empty() && of.back() == line) return;
  of.push_back(line);
  ++lines_;
}

std::string flag_line(const ImportFlag& flag) {
  std::string ranges;
  std::size_t shown = 0, i = 0;
  for (; i < flag.lines.size() && shown < kShownRanges; ++shown) {
    std::size_t end = i + 1;
    while (end < flag.lines.size() && flag.lines[end] == flag.lines[end - 1] + 1) ++end;
    if (shown > 0) ranges += ',';
    ranges += end - i > 1 ? fmt::format("{}-{}", flag.lines[i], flag.lines[end - 1])
                          : fmt::format("{}", flag.lines[i]);
    i = end;
  }
  if (i < flag.lines.size()) ranges += fmt::format(" and {} more lines", flag.lines.size() - i);
  return fmt::format("{}:{}: {}", flag.file, ranges, flag.why);
}

TextLines::TextLines(const std::string& path) : path_(path), text_(read_file(path, kMaxTextBytes)) {
  if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  if (const std::size_t nul = text_.find('\0'); nul != text_.npos)
    input_error(path, "is no text: it has a byte 0 in it", "name a text file");
  if (text_.find_first_not_of(" \t\r\n", at_) == text_.npos)
    input_error(path, "is empty", "name a file with measurements");
}

bool TextLines::next(std::string_view& line) {
  if (at_ >= text_.size()) return false;
  const std::size_t end = std::min(text_.find('\n', at_), text_.size());
  line = without_blanks(std::string_view(text_).substr(at_, end - at_));
  at_ = end + 1;
  ++number_;
  return true;
}

std::string TextLines::where() const { return fmt::format("{}:{}", path_, number_); }

std::string shown_text(std::string_view text) {
  return std::string(text.substr(0, kShownBytes)) + (text.size() > kShownBytes ? "..." : "");
}

bool to_number(std::string_view text, double& value) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && stop == text.data() + text.size() && std::isfinite(value);
}

}  // namespace flyball
