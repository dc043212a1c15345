#include "env/linux/discover/sys_tree.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <system_error>

#include "kernels/base/control_character.h"
#include "kernels/base/whole_file.h"

namespace flyball {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// "state2" before "state10".
bool natural_less(const std::string& a, const std::string& b) {
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const auto skip_zeros = [](const std::string& s, std::size_t& k) {
        while (k + 1 < s.size() && s[k] == '0' && is_digit(s[k + 1])) ++k;
        std::size_t end = k;
        while (end < s.size() && is_digit(s[end])) ++end;
        return end;
      };
      const std::size_t a_end = skip_zeros(a, i), b_end = skip_zeros(b, j);
      if (a_end - i != b_end - j) return a_end - i < b_end - j;
      const int order = a.compare(i, a_end - i, b, j, b_end - j);
      if (order != 0) return order < 0;
      i = a_end;
      j = b_end;
      continue;
    }
    if (a[i] != b[j]) return a[i] < b[j];
    ++i;
    ++j;
  }
  return a.size() < b.size();
}

}  // namespace

std::optional<std::int64_t> whole_number(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

SysTree::SysTree(std::string root) : root_(std::move(root)) {
  while (!root_.empty() && root_.back() == '/') root_.pop_back();
}

std::string SysTree::contents(std::string_view name) const {
  std::string bytes;
  if (!read_whole_file(path(name), kMaxBytes, bytes)) bytes.clear();
  return bytes;
}

bool SysTree::exists(std::string_view name) const { return access(path(name).c_str(), F_OK) == 0; }

bool SysTree::writable(std::string_view name) const {
  return access(path(name).c_str(), W_OK) == 0;
}

int SysTree::read_error(std::string_view name) const {
  std::string bytes;
  const FileStatus status = read_whole_file(path(name), kMaxBytes, bytes);
  return status ? 0 : status.error != 0 ? status.error : EINVAL;
}

std::optional<std::string> SysTree::line(std::string_view name) const {
  std::string text = contents(name);
  text.resize(std::min(text.find('\n'), text.size()));
  text.resize(std::min(text.find('\0'), text.size()));  // device trees end their strings with one
  while (!text.empty() && text.back() == ' ') text.pop_back();
  if (text.empty()) return {};
  return printable(text);
}

std::optional<std::int64_t> SysTree::number(std::string_view name) const {
  return whole_number(contents(name));
}

std::vector<std::string> SysTree::words(std::string_view name) const {
  std::vector<std::string> all;
  std::string word;
  for (const char c : contents(name) + '\n') {
    if (std::isspace(static_cast<unsigned char>(c)) == 0) {
      word += c;
    } else if (!word.empty()) {
      all.push_back(printable(word));
      word.clear();
    }
  }
  return all;
}

std::vector<std::int64_t> SysTree::numbers(std::string_view name) const {
  std::vector<std::int64_t> all;
  for (const std::string& word : words(name)) {
    if (const auto number = whole_number(word)) all.push_back(*number);
  }
  return all;
}

std::vector<std::string> SysTree::entries(std::string_view folder, std::string_view prefix) const {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator each(path(folder), error), end;
  for (std::size_t i = 0; !error && each != end && i < kMaxEntries; each.increment(error), ++i) {
    std::string name = each->path().filename().string();
    if (name.starts_with(prefix) && printable(name) == name) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end(), natural_less);
  return names;
}

std::string SysTree::link_name(std::string_view name) const {
  std::error_code error;
  const std::filesystem::path target = std::filesystem::read_symlink(path(name), error);
  return error ? "" : printable(target.filename().string());
}

}  // namespace flyball
