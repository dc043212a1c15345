#include "env/linux/sense/realtime_watch.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

namespace flyball {
namespace {

constexpr unsigned kKernelThread = 0x00200000;  // PF_KTHREAD, include/linux/sched.h
constexpr int kDeadline = 6;                    // SCHED_DEADLINE, include/uapi/linux/sched.h

constexpr int kReservedNumbers = 300;  // RESERVED_PIDS, kernel/pid.c

bool is_realtime(int policy) noexcept {
  return policy == SCHED_FIFO || policy == SCHED_RR || policy == kDeadline;
}

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
  threads_.reserve(kMostThreads);
  if (const auto most = tree.number("/proc/sys/kernel/pid_max"))
    most_number_ = static_cast<int>(std::clamp<std::int64_t>(*most, kReservedNumbers, 1 << 22));
  numbers_fd_ = open_file((root_ + "/proc/loadavg").c_str());
  listed_.resize(static_cast<std::size_t>(most_number_) + 1);
  last_number_ = last_number();  // before they are listed: one that comes meanwhile is met later
  searching_ = true;
  while (search_one()) {
  }
  searching_ = false;
}

RealtimeWatch::~RealtimeWatch() {
  close_listing(processes_);
  close_listing(of_process_);
  if (numbers_fd_ >= 0) close(numbers_fd_);
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
  if (!next(of_process_, tid)) {
    close_listing(of_process_);
    if (processes_.fd < 0) {
      std::snprintf(path, sizeof path, "%s/proc", root_.c_str());
      if (!open_listing(processes_, path)) return false;
    }
    if (!next(processes_, pid_)) {
      close_listing(processes_);
      return false;
    }
    std::snprintf(path, sizeof path, "%s/proc/%d/task", root_.c_str(), pid_);
    if (!open_listing(of_process_, path) || !next(of_process_, tid)) return true;  // it has ended
  }
  // At the beginning none is known yet. Later, whoever is in real time is learned of, and the others
  // are on the list already, or it is full.
  const Thread thread{pid_, tid};
  if (searching_)
    meet(thread);
  else if (policy_of(thread) == Policy::kRealtime)
    learn(thread);
  return true;
}

RealtimeWatch::Policy RealtimeWatch::policy_of(const Thread& thread) const noexcept {
  if (root_.empty()) {
    const int policy = sched_getscheduler(thread.tid);
    if (policy < 0) return errno == ESRCH ? Policy::kGone : Policy::kOther;
    return is_realtime(policy & ~SCHED_RESET_ON_FORK) ? Policy::kRealtime : Policy::kOther;
  }
  Stat stat;
  if (!read_stat(thread.pid, thread.tid, stat)) return Policy::kGone;
  return stat.realtime ? Policy::kRealtime : Policy::kOther;
}

void RealtimeWatch::meet(const Thread& thread) noexcept {
  const Policy policy = policy_of(thread);
  if (policy == Policy::kGone) return;
  if (policy == Policy::kRealtime) learn(thread);
  const auto number = static_cast<std::size_t>(thread.tid);
  if (number < listed_.size() && listed_[number]) return;
  if (number < listed_.size())
    listed_[number] = threads_.size() < static_cast<std::size_t>(kMostThreads);
  if (threads_.size() < static_cast<std::size_t>(kMostThreads))
    threads_.push_back(thread);
  else
    full_ = true;
}

/// "0.00 0.01 0.05 1/100 4711": the last word.
int RealtimeWatch::last_number() noexcept {
  if (numbers_fd_ < 0) return 0;
  char text[128];
  const ssize_t bytes = pread(numbers_fd_, text, sizeof text, 0);
  if (bytes <= 0) return 0;
  std::string_view words(text, static_cast<std::size_t>(bytes));
  while (words.ends_with('\n')) words.remove_suffix(1);
  int number = 0;
  return to_number(words.substr(words.rfind(' ') + 1), number) ? number : 0;
}

/// Numbers go up to the greatest, and then on from the least that is not reserved. After a time in which
/// nobody looked, the newest are met here, and the others by the search.
void RealtimeWatch::meet_new() noexcept {
  const int last = last_number();
  if (last <= 0) return;
  const int end = last < last_number_ ? most_number_ : last;
  last_number_ = std::max(last_number_, end - kMostThreads);
  for (int i = 0; i < kMostNewPerLook && last_number_ < end; ++i) {
    ++last_number_;
    meet({last_number_, last_number_});
  }
  if (last < last_number_ && last_number_ >= most_number_) last_number_ = kReservedNumbers - 1;
}

void RealtimeWatch::ask_policies(std::int64_t span_ns) noexcept {
  if (threads_.empty()) return;
  due_ += static_cast<double>(threads_.size()) * static_cast<double>(span_ns) /
          static_cast<double>(kRoundNs);
  const int most = static_cast<int>(
      std::min<std::size_t>(threads_.size(), static_cast<std::size_t>(kMostAskedPerLook)));
  const int count = static_cast<int>(std::min<double>(due_, most));
  due_ = std::min<double>(due_ - count, kMostAskedPerLook);
  for (int i = 0; i < count && !threads_.empty(); ++i) {
    if (next_thread_ >= threads_.size()) next_thread_ = 0;
    const Policy policy = policy_of(threads_[next_thread_]);
    if (policy == Policy::kGone) {
      const auto number = static_cast<std::size_t>(threads_[next_thread_].tid);
      if (number < listed_.size()) listed_[number] = false;
      threads_[next_thread_] = threads_.back();
      threads_.pop_back();
      continue;
    }
    if (policy == Policy::kRealtime) learn(threads_[next_thread_]);
    ++next_thread_;
  }
}

/// "12 (a name) S ppid pgrp session tty tpgid flags ...": fields 3, 9, 39 and 41, proc(5).
bool RealtimeWatch::read_stat(int pid, int tid, Stat& stat) const noexcept {
  char text[1024];
  std::snprintf(text, sizeof text, "%s/proc/%d/task/%d/stat", root_.c_str(), pid, tid);
  const int fd = open_file(text);
  if (fd < 0) return false;
  const ssize_t bytes = pread(fd, text, sizeof text, 0);
  close(fd);
  if (bytes <= 0) return false;
  std::string_view rest(text, static_cast<std::size_t>(bytes));
  const std::size_t name_end = rest.rfind(')');  // the name may have one too
  if (name_end == rest.npos) return false;
  stat.governs = rest.substr(0, name_end).find("(sugov:") != rest.npos;
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
    if (field == 41) {
      stat.deadline = number == kDeadline;
      stat.realtime = is_realtime(static_cast<int>(number));
    }
    rest.remove_prefix(word.size());
  }
  return true;
}

bool RealtimeWatch::is_known(int tid) const noexcept {
  return std::any_of(known_.begin(), known_.begin() + known_count_,
                     [&](const Known& each) { return each.tid == tid; });
}

void RealtimeWatch::learn(const Thread& thread) noexcept {
  if (is_known(thread.tid)) return;
  Stat stat;
  if (!read_stat(thread.pid, thread.tid, stat) || !stat.realtime) return;
  if (stat.kernel && stat.governs) return;
  if (known_count_ == kMostKnown) {
    if (stat.kernel) return;
    const auto kernels =
        std::find_if(known_.begin(), known_.end(), [](const Known& each) { return each.kernel; });
    if (kernels == known_.end()) {
      full_ = true;
      return;
    }
    forget(static_cast<int>(kernels - known_.begin()));
  }
  Known& known = known_[static_cast<std::size_t>(known_count_++)];
  known = {};
  known.tid = thread.tid;
  known.pid = thread.pid;
  char path[512];
  std::snprintf(path, sizeof path, "%s/proc/%d/task/%d/schedstat", root_.c_str(), thread.pid,
                thread.tid);
  known.run_fd = open_file(path);
  known.cpu = stat.cpu;
  known.deadline = stat.deadline;
  known.kernel = stat.kernel;
  known.asked_ns = now_ns_;
  // Found while it was at it.
  if (stat.running && !stat.kernel && now_ns_ > 0) known.seen_ns = now_ns_;
}

void RealtimeWatch::forget(int index) noexcept {
  Known& known = known_[static_cast<std::size_t>(index)];
  if (known.run_fd >= 0) close(known.run_fd);
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
    const double least_ns =
        known.kernel ? kBusyShare * static_cast<double>(now_ns - known.asked_ns) : 0;
    ran = known.ran >= 0 && ns != known.ran && static_cast<double>(ns - known.ran) >= least_ns;
    known.ran = ns;
  }
  known.asked_ns = now_ns;
  if (!ran) return;
  Stat stat;
  if (!read_stat(known.pid, known.tid, stat) || !stat.realtime) {
    known.tid = 0;
    return;
  }
  known.deadline = stat.deadline;
  if (!stat.running && known.run_fd < 0) return;
  known.seen_ns = now_ns;
  known.cpu = stat.cpu;
}

void RealtimeWatch::look(std::int64_t now_ns) noexcept {
  const std::int64_t span_ns = now_ns - std::exchange(now_ns_, now_ns);
  meet_new();
  ask_policies(span_ns);
  if (now_ns - searched_ns_ >= kSearchNs) {
    searched_ns_ = now_ns;
    for (int i = 0; i < kSearchedPerLook && search_one(); ++i) {
    }
  }
  // Each within half a second or so: a core is held for longer than that.
  const int asked = std::clamp((known_count_ + 15) / 16, std::min(4, known_count_), known_count_);
  for (int i = 0; i < asked; ++i) {
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

int RealtimeWatch::known() const noexcept {
  return static_cast<int>(std::count_if(known_.begin(), known_.begin() + known_count_,
                                        [](const Known& each) { return !each.kernel; }));
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
