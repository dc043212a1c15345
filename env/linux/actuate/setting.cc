#include "env/linux/actuate/setting.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

namespace flyball {
namespace {

constexpr int kInterruptions = 8;

/// A held descriptor of a driver that was unloaded, which may be back under the same path.
bool is_stale(ssize_t result) { return result == -ENODEV || result == -EBADF; }

}  // namespace

SettingText::SettingText(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  size_ = static_cast<std::uint8_t>(std::min(text.size(), kMaxBytes));
  std::copy_n(text.begin(), size_, bytes_.begin());
}

SettingText SettingText::of(std::int64_t number) {
  SettingText text;
  const auto [end, error] =
      std::to_chars(text.bytes_.data(), text.bytes_.data() + kMaxBytes, number);
  (void)error;  // 20 digits fit
  text.size_ = static_cast<std::uint8_t>(end - text.bytes_.data());
  return text;
}

std::int64_t SettingText::number() const {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(bytes_.data(), bytes_.data() + size_, value);
  return error == std::errc{} && end == bytes_.data() + size_ && value >= 0 ? value : -1;
}

Setting::Setting(SettingCalls& calls, SettingHook* hook, std::string path)
    : calls_(calls), hook_(hook), path_(std::move(path)) {
  found_ = read();
}

Setting::Setting(Setting&& other) noexcept
    : calls_(other.calls_),
      hook_(other.hook_),
      path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      error_(other.error_),
      ours_(std::exchange(other.ours_, false)),
      found_is_set_(other.found_is_set_),
      writes_(other.writes_),
      found_(other.found_),
      now_(other.now_),
      written_(other.written_),
      read_back_(other.read_back_) {}

Setting::~Setting() { close(); }

int Setting::open() noexcept {
  if (fd_ >= 0) return 0;
  const int fd = calls_.open_file(path_.c_str(), true);
  if (fd < 0) return -fd;
  fd_ = fd;
  return 0;
}

void Setting::close() noexcept {
  if (fd_ >= 0) calls_.close_file(std::exchange(fd_, -1));
}

/// A driver that is loaded anew begins with its defaults: nothing of ours is left.
void Setting::close_stale() noexcept {
  close();
  ours_ = false;
  read_back_ = {};
}

SettingText Setting::read() noexcept {
  std::array<char, 256> buffer;
  ssize_t got = 0;
  for (int attempt = 0; attempt < 2; ++attempt) {
    error_ = open();
    if (error_ != 0) return now_ = {};
    got = -EINTR;
    for (int i = 0; got == -EINTR && i < kInterruptions; ++i)
      got = calls_.read_file(fd_, buffer.data(), buffer.size());
    if (!is_stale(got)) break;
    close_stale();
  }
  if (got < 0) {
    error_ = static_cast<int>(-got);
    return now_ = {};
  }
  return now_ = SettingText({buffer.data(), static_cast<std::size_t>(got)});
}

int Setting::put(const SettingText& value) noexcept {
  std::array<char, SettingText::kMaxBytes + 1> line;
  const std::string_view text = value.view();
  std::copy(text.begin(), text.end(), line.begin());
  line[text.size()] = '\n';
  ssize_t done = 0;
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (const int error = open()) return error;
    done = -EINTR;
    for (int i = 0; done == -EINTR && i < kInterruptions; ++i)
      done = calls_.write_file(fd_, line.data(), text.size() + 1);
    if (!is_stale(done)) break;
    close_stale();
  }
  if (done < 0) return static_cast<int>(-done);
  return static_cast<std::size_t>(done) == text.size() + 1 ? 0 : EIO;
}

int Setting::write(const SettingText& value) noexcept {
  error_ = 0;
  if (!ours_ || now_.empty()) {  // it may have been offline, or changed while it was not ours
    read();
    if (error_ != 0) return error_;
    if (!ours_ && !found_is_set_) found_ = now_;
  }
  if (now_ == value) return 0;
  if (hook_ != nullptr) {
    error_ = hook_->on_write(path_, found_.view(), !found_is_set_, value.view());
    if (error_ != 0) return error_;
  }
  ++writes_;
  const SettingText held = now_;
  const int refused = put(value);
  ours_ = true;
  written_ = value;
  read();
  if (refused != 0) {
    // What it still reads as stays known for ours, or as found, however often it refuses.
    if (hook_ != nullptr && error_ == 0 && now_ == held) hook_->on_written(path_, now_.view());
    return error_ = refused;
  }
  if (error_ != 0) return error_;
  read_back_ = now_;
  if (hook_ != nullptr) hook_->on_written(path_, now_.view());
  return 0;
}

int Setting::give_back(bool heat_lowers, bool held) noexcept {
  if (!ours_) return 0;
  read();
  if (error_ != 0) return error_;
  const bool others = !(now_ == found_) && changed_by_others(heat_lowers);
  if (!others && !(now_ == found_)) {
    if (hook_ != nullptr) {
      error_ = hook_->on_write(path_, found_.view(), !found_is_set_, found_.view());
      if (error_ != 0) return error_;
    }
    ++writes_;
    const SettingText left = now_;
    const int refused = put(found_);
    read();
    if (ours_ && error_ == 0 && now_ == left && (refused != 0 || !held)) {
      // What it still reads as stays known for ours, however often this is tried.
      if (hook_ != nullptr) hook_->on_written(path_, now_.view());
      return error_ = refused != 0 ? refused : EREMOTEIO;
    }
    if (refused != 0) return error_ = refused;
    if (error_ != 0) return error_;
  }
  ours_ = false;
  found_is_set_ = false;
  if (hook_ != nullptr) hook_->on_left(path_, !others);
  return error_;
}

}  // namespace flyball
