#include "env/linux/counter_proc.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>

namespace flyball {

namespace {

/// A number that is followed by a blank or the end of the line.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.empty() || (text.front() != ' ' && text.front() != '\n')) return {};
  text.remove_prefix(1);
  return number;
}

/// The last line with this key: a thread chooses its name, which stands in the first.
std::optional<std::uint64_t> value_of(std::string_view text, std::string_view key) {
  const auto at = text.rfind(key);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + key.size());
  return take_number(text);
}

}  // namespace

ProcCounters::ProcCounters(PerfSyscalls& calls, const std::string& root,
                           const std::vector<int>& tids)
    : calls_(calls) {
  threads_.reserve(tids.size());
  schedstat_ = open_all(root, tids, "schedstat");
  if (!schedstat_ && !open_all(root, tids, "status")) return;
  opened_ = true;
  fields_ = counter_bit(CounterField::kContextSwitches);
  if (schedstat_) fields_ |= counter_bit(CounterField::kCpuTime);
  CounterSample start;
  if (read(start)) accept();
}

ProcCounters::~ProcCounters() { close_all(); }

bool ProcCounters::open_all(const std::string& root, const std::vector<int>& tids,
                            const char* file) {
  for (const int tid : tids) {
    const std::string path = fmt::format("{0}/{1}/task/{1}/{2}", root, tid, file);
    int fd = -EINTR;
    for (int i = 0; fd == -EINTR && i < kPatience; ++i) fd = calls_.open_file(path.c_str());
    if (fd >= 0) {
      threads_.push_back({fd, {}, {}});
    } else if (fd != -ENOENT && fd != -ESRCH) {
      close_all();
      return false;
    }
  }
  return !threads_.empty();
}

ProcCounters::Outcome ProcCounters::fetch(Thread& thread) noexcept {
  // A status file is 1.5 KB, and with the masks of 8192 CPUs 4 KB.
  std::array<char, 8192> buffer;
  ssize_t got = -EINTR;
  for (int i = 0; got == -EINTR && i < kPatience; ++i) {
    got = calls_.read_file(thread.fd, buffer.data(), buffer.size());
  }
  if (got == -ESRCH) return Outcome::kEnded;
  if (got <= 0 || static_cast<std::size_t>(got) >= buffer.size()) return Outcome::kFailed;
  std::string_view text(buffer.data(), static_cast<std::size_t>(got));
  if (schedstat_) {
    const auto cpu_time_ns = take_number(text);  // on the CPU, waiting for it, times it got one
    const auto waiting_ns = cpu_time_ns ? take_number(text) : std::nullopt;
    const auto switches = waiting_ns ? take_number(text) : std::nullopt;
    if (!switches) return Outcome::kFailed;
    thread.now = {*cpu_time_ns, *switches};
  } else {
    const auto voluntary = value_of(text, "\nvoluntary_ctxt_switches:\t");
    const auto involuntary = value_of(text, "\nnonvoluntary_ctxt_switches:\t");
    if (!voluntary || !involuntary) return Outcome::kFailed;
    thread.now = {0, *voluntary + *involuntary};
  }
  const bool forwards = thread.now.cpu_time_ns >= thread.last.cpu_time_ns &&
                        thread.now.switches >= thread.last.switches;
  return forwards ? Outcome::kGood : Outcome::kFailed;
}

bool ProcCounters::read(CounterSample& out) noexcept {
  if (fields_ == 0) return true;
  bool failed = false;
  std::erase_if(threads_, [&](Thread& thread) {
    const Outcome outcome = fetch(thread);
    failed |= outcome == Outcome::kFailed;
    if (outcome == Outcome::kEnded) calls_.close(thread.fd);
    return outcome == Outcome::kEnded;
  });
  if (failed) {
    if (++failures_ >= kPatience) {
      fields_ = 0;
      opened_ = false;
      close_all();
    }
    return false;
  }
  failures_ = 0;
  if (threads_.empty()) {
    fields_ = 0;
    return true;
  }
  double cpu_time_ns = 0;
  double switches = 0;
  for (const Thread& thread : threads_) {
    ran_ |= thread.now.switches > 0;
    cpu_time_ns += static_cast<double>(thread.now.cpu_time_ns - thread.last.cpu_time_ns);
    switches += static_cast<double>(thread.now.switches - thread.last.switches);
  }
  if (!ran_) return true;
  out.set(CounterField::kContextSwitches, switches);
  if (schedstat_) out.set(CounterField::kCpuTime, cpu_time_ns);
  return true;
}

void ProcCounters::close_all() noexcept {
  for (const Thread& thread : threads_) calls_.close(thread.fd);
  threads_.clear();
}

}  // namespace flyball
