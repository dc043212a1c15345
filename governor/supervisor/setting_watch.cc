#include "governor/supervisor/setting_watch.h"

#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "kernels/base/clock.h"

namespace flyball {
namespace {

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_interpreter(std::string_view name) {
  return name.starts_with("python") || name.starts_with("perl") || name == "sh" || name == "bash" ||
         name == "dash" || name == "env";
}

}  // namespace

std::array<char, 64> program_of(pid_t pid) noexcept {
  std::array<char, 64> program{};
  char path[40], words[512];
  std::snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
  const ssize_t size = read_small_file(path, words, sizeof words);
  std::string_view rest(words, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  std::string_view name;
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    if (!name.empty() && word.starts_with('-')) {
      if (word == "-c") break;  // what follows is a program's text
      continue;
    }
    name = file_name(word);
    if (!is_interpreter(name)) break;
  }
  // A stranger's text, for a terminal.
  std::transform(name.begin(), name.begin() + std::min(name.size(), program.size() - 1),
                 program.begin(), [](char c) { return c >= ' ' && c <= '~' ? c : '?'; });
  return program;
}

SettingWatch::SettingWatch(const SettingsFile& file)
    : file_(file),
      sys_(open((std::string(file.sysfs_root()) + "/sys").c_str(),
                O_PATH | O_DIRECTORY | O_CLOEXEC)),
      events_(fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC)) {
  by_fanotify_ = static_cast<bool>(events_);
  if (!by_fanotify_) events_ = FileDescriptor(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
}

bool SettingWatch::watch(int setting) {
  if (!events_ || is_thread_setting(file_.kind(setting))) return false;
  const std::string path = std::string(file_.sysfs_root()) + std::string(file_.path(setting));
  Watched watched{setting, 0, 0, -1};
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return false;
  watched.device = info.st_dev;
  watched.inode = info.st_ino;
  if (by_fanotify_) {
    if (fanotify_mark(events_.get(), FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD, path.c_str()) != 0)
      return false;
  } else {
    watched.watch = inotify_add_watch(events_.get(), path.c_str(), IN_MODIFY);
    if (watched.watch < 0) return false;
  }
  watched_.push_back(watched);
  return true;
}

bool SettingWatch::watch_anew(int setting) {
  const auto known = std::find_if(watched_.begin(), watched_.end(),
                                  [&](const Watched& each) { return each.setting == setting; });
  if (known == watched_.end()) return false;
  char path[512];
  const auto size =
      std::snprintf(path, sizeof path, "%.*s%.*s", static_cast<int>(file_.sysfs_root().size()),
                    file_.sysfs_root().data(), static_cast<int>(file_.path(setting).size()),
                    file_.path(setting).data());
  struct stat info {};
  if (size < 0 || size >= static_cast<int>(sizeof path) || stat(path, &info) != 0) return false;
  if (info.st_ino == known->inode && info.st_dev == known->device) return false;
  const auto place = known - watched_.begin();
  // What cannot be watched yet stays on the list, or nobody would ever try again.
  if (!watch(setting)) return false;
  watched_.erase(watched_.begin() + place);
  return true;
}

void SettingWatch::hold(int setting, bool held) noexcept {
  for (Watched& each : watched_) {
    if (each.setting == setting) each.held = held;
  }
}

std::optional<ForeignChange> SettingWatch::next() noexcept {
  if (any_kept_) {
    if (auto change = next_kept()) return change;
  }
  return by_fanotify_ ? next_by_fanotify() : next_by_inotify();
}

std::optional<ForeignChange> SettingWatch::next_kept() noexcept {
  any_kept_ = false;
  for (Watched& each : watched_) {
    if (!each.kept) continue;
    any_kept_ = true;
    if (each.held) continue;
    each.kept = false;
    auto change = look_at(each.setting);
    if (!change) continue;
    change->pid = each.pid;
    change->program = each.program;
    return change;
  }
  return {};
}

/// Somebody has written to it, process `pid` where that is known.
std::optional<ForeignChange> SettingWatch::meet(Watched& each, pid_t pid) noexcept {
  if (each.held) {
    each.kept = any_kept_ = true;
    each.pid = pid;
    each.program = pid != 0 ? program_of(pid) : std::array<char, 64>{};
    return {};
  }
  auto change = look_at(each.setting);
  if (change && pid != 0) {
    change->pid = pid;
    change->program = program_of(pid);
  }
  return change;
}

bool SettingWatch::fill() noexcept {
  if (at_ < size_) return true;
  const ssize_t got = read(events_.get(), buffer_.data(), buffer_.size());
  size_ = static_cast<std::size_t>(std::max<ssize_t>(got, 0));
  at_ = 0;
  return size_ > 0;
}

std::optional<ForeignChange> SettingWatch::next_by_fanotify() noexcept {
  while (fill()) {
    fanotify_event_metadata event;
    std::memcpy(&event, buffer_.data() + at_, sizeof event);
    at_ += event.event_len;
    if (event.fd < 0) continue;  // the queue ran over: the next look at all of them tells
    const FileDescriptor file(event.fd);
    struct stat info {};
    if (event.pid == getpid() || fstat(file.get(), &info) != 0) continue;
    for (Watched& each : watched_) {
      if (each.inode != info.st_ino || each.device != info.st_dev) continue;
      if (auto change = meet(each, event.pid)) return change;
      break;
    }
  }
  return {};
}

std::optional<ForeignChange> SettingWatch::next_by_inotify() noexcept {
  while (fill()) {
    inotify_event event;
    std::memcpy(&event, buffer_.data() + at_, sizeof event);
    at_ += sizeof event + event.len;
    for (Watched& each : watched_) {
      if (each.watch != event.wd) continue;
      if (auto change = meet(each, 0)) return change;
    }
  }
  return {};
}

std::optional<ForeignChange> SettingWatch::look_at(int setting) const noexcept {
  // Twice: while we looked, another thread of ours may have begun to write.
  SettingReading reading;
  for (int look = 0; look < 2; ++look) {
    reading = read_setting(sys_.get(), file_, setting);
    if (reading.error != 0 || file_.state(setting) != SettingState::kTaken) return {};
    const SettingsFile::Ours ours = file_.ours(setting);
    const bool as_before = ours.count == 0 && reading.view() == file_.before(setting);
    if (as_before || ours.contains(reading.view())) return {};
  }
  ForeignChange change;
  change.setting = setting;
  std::copy_n(reading.text, std::min<std::size_t>(reading.size, change.found.size() - 1),
              change.found.begin());
  change.seen_ns = monotonic_ns();
  return change;
}

}  // namespace flyball
