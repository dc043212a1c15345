#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "env/linux/actuate/setting_calls.h"

namespace flyball {

/// The text of a setting: one line. A plain value.
class SettingText {
 public:
  static constexpr std::size_t kMaxBytes = 40;
  SettingText() = default;
  explicit SettingText(std::string_view text);
  static SettingText of(std::int64_t number);
  std::string_view view() const { return {bytes_.data(), size_}; }
  bool empty() const { return size_ == 0; }
  /// -1 when it is none ("<unsupported>").
  std::int64_t number() const;
  friend bool operator==(const SettingText& a, const SettingText& b) {
    return a.view() == b.view();
  }

 private:
  std::array<char, kMaxBytes> bytes_{};
  std::uint8_t size_ = 0;
};

/// One file under /sys that is written, through a held descriptor. Knows what it was found as, what
/// we wrote last and what it read as then. Used by one thread; nothing allocates after construction.
class Setting {
 public:
  Setting(SettingCalls& calls, SettingHook* hook, std::string path);
  ~Setting();
  Setting(Setting&& other) noexcept;
  Setting(const Setting&) = delete;

  /// What it reads as now; empty with `error()` set when it cannot be read.
  SettingText read() noexcept;
  /// Writes when it is known to read otherwise, and reads back. 0 or an errno: of the hook, of the
  /// write, or of the reading. A write that succeeds is no proof: compare `now()`.
  int write(const SettingText& value) noexcept;
  /// Writes what it was found as, if we changed it and nobody else has since. A limit that
  /// `heat_lowers` and that reads lower than we left it may be ours all the same. EREMOTEIO: the write
  /// was accepted, and it still reads as before; it stays ours then, as after every error. Where
  /// it is `held` there by something else (heat, a limit), that is no failure.
  int give_back(bool heat_lowers, bool held = false) noexcept;

  const std::string& path() const { return path_; }
  const SettingText& found() const { return found_; }
  const SettingText& now() const { return now_; }  ///< as last read
  int error() const { return error_; }             ///< of the last call
  /// Whether another program has set it since we did: it reads as neither what we wrote nor what that
  /// read as then. One that `heat_lowers` may read lower by itself.
  bool changed_by_others(bool heat_lowers) const {
    if (!ours_ || read_back_.empty() || now_ == read_back_ || now_ == written_) return false;
    return !heat_lowers || now_.number() > written_.number();
  }
  bool ours() const { return ours_; }  ///< we wrote it, and it is not given back
  std::uint64_t writes() const { return writes_; }
  /// What to give back where what was found is not the user's.
  void set_found(const SettingText& value) {
    found_ = value;
    found_is_set_ = true;
  }

 private:
  int open() noexcept;
  void close() noexcept;
  void close_stale() noexcept;
  int put(const SettingText& value) noexcept;

  SettingCalls& calls_;
  SettingHook* hook_;
  std::string path_;
  int fd_ = -1;
  int error_ = 0;
  bool ours_ = false;
  bool found_is_set_ = false;
  std::uint64_t writes_ = 0;
  SettingText found_, now_, written_, read_back_;  ///< the last two are what we left
};

}  // namespace flyball
