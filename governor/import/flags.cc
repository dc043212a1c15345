#include "governor/import/flags.h"

#include <fmt/format.h>

#include <algorithm>

#include "governor/fit/table_text.h"
#include "kernels/base/error.h"
#include "kernels/base/read_file.h"

namespace flyball {
namespace {

constexpr std::size_t kMaxTextBytes = 1u << 30;
constexpr std::size_t kShownRanges = 8;

}  // namespace

void ImportFlags::add(const std::string& file, long line, const std::string& why) {
  const auto [place, is_new] = index_.try_emplace({file, why}, flags_.size());
  if (is_new) flags_.push_back({file, why, {}});
  std::vector<long>& of = flags_[place->second].lines;
  if (!of.empty() && of.back() == line) return;
  of.push_back(line);
}

std::size_t ImportFlags::lines() const {
  std::map<std::string_view, std::vector<long>> of_file;
  for (const ImportFlag& flag : flags_) {
    std::vector<long>& lines = of_file[flag.file];
    lines.insert(lines.end(), flag.lines.begin(), flag.lines.end());
  }
  std::size_t all = 0;
  for (auto& [file, lines] : of_file) {
    std::sort(lines.begin(), lines.end());
    all += static_cast<std::size_t>(std::unique(lines.begin(), lines.end()) - lines.begin());
  }
  return all;
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

}  // namespace flyball
