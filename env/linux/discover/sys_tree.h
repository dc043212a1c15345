#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flyball {

/// The files by which Linux shows a machine, /sys and /proc, below a folder: "/" for this machine,
/// another one for a copy of such a tree. What stands in them is a stranger's: every read is bounded
/// and waits for no pipe or device, text comes back as clean UTF-8 on one line, a number is a number
/// or nothing, and names that are no clean text are passed over.
class SysTree {
 public:
  static constexpr std::size_t kMaxBytes = 1 << 16;
  static constexpr std::size_t kMaxEntries = 4096;

  explicit SysTree(std::string root = "/");

  const std::string& root() const { return root_; }  ///< empty for "/"
  std::string path(std::string_view name) const { return root_ + std::string(name); }
  bool exists(std::string_view name) const;
  /// May this process write it? What the permissions say; a read-only mount says no.
  bool writable(std::string_view name) const;
  /// 0, or the errno that a read is refused with: EBUSY where the CPUs of a policy are offline.
  int read_error(std::string_view name) const;

  /// The first line without its end; nothing when it cannot be read or is empty.
  std::optional<std::string> line(std::string_view name) const;
  std::optional<std::int64_t> number(std::string_view name) const;
  /// Between blanks, on all lines.
  std::vector<std::string> words(std::string_view name) const;
  /// The words that are numbers.
  std::vector<std::int64_t> numbers(std::string_view name) const;
  /// The names in a folder that begin with `prefix`, "cpu2" before "cpu10".
  std::vector<std::string> entries(std::string_view folder, std::string_view prefix = "") const;
  /// The last part of what a symbolic link leads to; empty when it is none.
  std::string link_name(std::string_view name) const;

 private:
  std::string contents(std::string_view name) const;

  std::string root_;
};

/// All of `text` is a decimal number, but for blanks and a line end behind it.
std::optional<std::int64_t> whole_number(std::string_view text);

}  // namespace flyball
