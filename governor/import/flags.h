#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flyball {

/// What of a file cannot be true, so that it is not used.
struct ImportFlag {
  std::string file, why;
  std::vector<long> lines;  ///< ascending
};

/// Collects them: lines of one file that are flagged for one reason are one flag.
class ImportFlags {
 public:
  void add(const std::string& file, long line, const std::string& why);
  const std::vector<ImportFlag>& all() const { return flags_; }
  /// How many lines are flagged, each once.
  std::size_t lines() const;

 private:
  std::vector<ImportFlag> flags_;
  std::map<std::pair<std::string, std::string>, std::size_t> index_;
};

/// "log.csv:12,15-18: why"; of very many lines the first.
std::string flag_line(const ImportFlag& flag);

/// The lines of a text, without what ends them (CRLF too) and blanks around them.
class TextLines {
 public:
  /// Reads the whole file. Throws Error (kInput): it is absent, too large, empty or no text.
  explicit TextLines(const std::string& path);
  /// False at the end.
  bool next(std::string_view& line);
  long number() const { return number_; }
  /// Whether the line had an end; the file's last one may not, where the file is cut off.
  bool ended() const { return at_ <= text_.size(); }
  /// "log.csv:12"
  std::string where() const;

 private:
  std::string path_, text_;
  std::size_t at_ = 0;
  long number_ = 0;
};

}  // namespace flyball
