#include "env/linux/sense/realtime_watch.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

namespace flyball {
namespace {

constexpr unsigned kKernelThread = 0x00200000;  // PF_KTHREAD, include/linux/sched.h
constexpr int kMaxFirstSearch = 20'000;         // threads

/// linux_dirent64, which glibc shows only through readdir(), and that allocates.
struct ThreadEntry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t bytes;
  std::uint8_t type;
  char name[1];
};

int open_file(const char* path) noexcept {
  return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

bool to_number(std::string_view text, int& number) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number > 0;
}

}  // namespace

RealtimeWatch::RealtimeWatch(const SysTree& tree) : root_(tree.root()) {
  // Only where the Linux kernel has the clamps at all.
  if (const auto clamp = tree.number("/proc/sys/kernel/sched_util_clamp_min_rt_default"))
    clamp_min_ = static_cast<int>(std::clamp<std::int64_t>(*clamp, 0, kAll));
  for (int i = 0; i < kMaxFirstSearch && search_one(); ++i) {
  }
}

RealtimeWatch::~RealtimeWatch() {
  close_listing(processes_);
  close_listing(threads_);
  while (known_count_ > 0) forget(known_count_ - 1);
}

void RealtimeWatch::close_listing(Listing& listing) noexcept {
  if (listing.fd >= 0) close(std::exchange(listing.fd, -1));
  listing.bytes = listing.at = 0;
}

bool RealtimeWatch::open_listing(Listing& listing, const char* path) noexcept {
  close_listing(listing);
  listing.fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  return listing.fd >= 0;
}

bool RealtimeWatch::next(Listing& listing, int& number) noexcept {
  if (listing.fd < 0) return false;
  for (;;) {
    if (listing.at >= listing.bytes) {
      listing.bytes = syscall(SYS_getdents64, listing.fd, listing.buffer, sizeof listing.buffer);
      listing.at = 0;
      if (listing.bytes <= 0) return false;
    }
    const auto* const entry = reinterpret_cast<const ThreadEntry*>(listing.buffer + listing.at);
    listing.at += entry->bytes;
    if (to_number(entry->name, number)) return true;
  }
}

bool RealtimeWatch::search_one() noexcept {
  char path[512];
  int tid = 0;
  if (!next(threads_, tid)) {
    close_listing(threads_);
    if (processes_.fd < 0) {
      std::snprintf(path, sizeof path, "%s/proc", root_.c_str());
      if (!open_listing(processes_, path)) return false;
    }
    if (!next(processes_, pid_)) {
      close_listing(processes_);
      return false;
    }
    std::snprintf(path, sizeof path, "%s/proc/%d/task", root_.c_str(), pid_);
    if (!open_listing(threads_, path) || !next(threads_, tid)) return true;  // it has ended
  }
  std::snprintf(path, sizeof path, "%s/proc/%d/task/%d/stat", root_.c_str(), pid_, tid);
  const int fd = open_file(path);
  Stat stat;
  if (fd < 0 || !read_stat(fd, stat)) {
    if (fd >= 0) close(fd);
    return true;
  }
  if (stat.realtime && !stat.kernel) {
    learn(tid, stat, fd);
  } else {
    close(fd);
  }
  return true;
}

/// "12 (a name) S ppid pgrp session tty tpgid flags ...": fields 3, 9, 39 and 41, proc(5).
bool RealtimeWatch::read_stat(int fd, Stat& stat) noexcept {
  char text[1024];
  const ssize_t bytes = pread(fd, text, sizeof text, 0);
  if (bytes <= 0) return false;
  std::string_view rest(text, static_cast<std::size_t>(bytes));
  const std::size_t name_end = rest.rfind(')');  // the name may have one too
  if (name_end == rest.npos) return false;
  rest.remove_prefix(name_end + 1);
  for (int field = 3; field <= 41; ++field) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const std::string_view word = rest.substr(0, rest.find_first_of(" \n"));
    if (word.empty()) return false;
    std::int64_t number = 0;
    std::from_chars(word.data(), word.data() + word.size(), number);
    if (field == 3) stat.running = word == "R";
    if (field == 9) stat.kernel = (number & kKernelThread) != 0;
    if (field == 39) stat.cpu = static_cast<int>(number);
    // SCHED_FIFO, SCHED_RR, SCHED_DEADLINE
    if (field == 41) {
      stat.deadline = number == 6;
      stat.realtime = number == 1 || number == 2 || stat.deadline;
    }
    rest.remove_prefix(word.size());
  }
  return true;
}

void RealtimeWatch::learn(int tid, const Stat& stat, int stat_fd) noexcept {
  for (int i = 0; i < known_count_; ++i) {
    if (known_[static_cast<std::size_t>(i)].tid != tid) continue;
    close(stat_fd);
    return;
  }
  if (known_count_ == kMostKnown) {
    close(stat_fd);
    return;
  }
  Known& known = known_[static_cast<std::size_t>(known_count_++)];
  known = {};
  known.tid = tid;
  known.stat_fd = stat_fd;
  char path[512];
  std::snprintf(path, sizeof path, "%s/proc/%d/task/%d/schedstat", root_.c_str(), pid_, tid);
  known.run_fd = open_file(path);
  known.cpu = stat.cpu;
  known.deadline = stat.deadline;
  // Found while it was at it.
  if (stat.running && now_ns_ > 0) known.seen_ns = now_ns_;
}

void RealtimeWatch::forget(int index) noexcept {
  Known& known = known_[static_cast<std::size_t>(index)];
  if (known.run_fd >= 0) close(known.run_fd);
  if (known.stat_fd >= 0) close(known.stat_fd);
  known = known_[static_cast<std::size_t>(--known_count_)];
  known_[static_cast<std::size_t>(known_count_)] = {};
}

/// Where Linux does not account run time, whoever is found running has run.
void RealtimeWatch::ask(Known& known, std::int64_t now_ns) noexcept {
  bool ran = known.run_fd < 0;
  if (!ran) {
    char text[96];
    const ssize_t bytes = pread(known.run_fd, text, sizeof text, 0);
    std::int64_t ns = 0;
    if (bytes <= 0 || std::from_chars(text, text + bytes, ns).ec != std::errc{}) {
      known.tid = 0;  // it has ended
      return;
    }
    ran = known.ran >= 0 && ns != known.ran;
    known.ran = ns;
  }
  if (!ran) return;
  Stat stat;
  if (!read_stat(known.stat_fd, stat) || !stat.realtime) {
    known.tid = 0;
    return;
  }
  known.deadline = stat.deadline;
  if (!stat.running && known.run_fd < 0) return;
  known.seen_ns = now_ns;
  known.cpu = stat.cpu;
}

void RealtimeWatch::look(std::int64_t now_ns) noexcept {
  now_ns_ = now_ns;
  if (now_ns - searched_ns_ >= kSearchNs) {
    searched_ns_ = now_ns;
    for (int i = 0; i < kThreadsPerLook && search_one(); ++i) {
    }
  }
  for (int i = 0; i < std::min(kAskedPerLook, known_count_); ++i) {
    next_asked_ = next_asked_ % known_count_;
    ask(known_[static_cast<std::size_t>(next_asked_)], now_ns);
    if (known_[static_cast<std::size_t>(next_asked_)].tid == 0) {
      forget(next_asked_);
      if (known_count_ == 0) return;
    } else {
      ++next_asked_;
    }
  }
}

int RealtimeWatch::owed_on(const CpuSet& cpus) const noexcept {
  int owed = 0;
  for (int i = 0; i < known_count_; ++i) {
    const Known& known = known_[static_cast<std::size_t>(i)];
    if (known.seen_ns > 0 && now_ns_ - known.seen_ns <= kHoldNs && cpus.contains(known.cpu))
      owed = std::max(owed, known.deadline ? kAll : clamp_min_);
  }
  return owed;
}

}  // namespace flyball
