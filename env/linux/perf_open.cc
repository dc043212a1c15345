// The half of PerfEvents that opens and closes.
#include <cerrno>

#include "env/linux/perf_events.h"

namespace flyball {

namespace {

constexpr std::uint8_t kSoftware =
    counter_bit(CounterField::kContextSwitches) | counter_bit(CounterField::kCpuTime);
bool is_hardware(CounterField field) { return (counter_bit(field) & kSoftware) == 0; }
bool is_refusal(int error) { return error == -EACCES || error == -EPERM; }

}  // namespace

CounterAbsence counter_absence(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
      return CounterAbsence::kNotPermitted;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return CounterAbsence::kNoDescriptors;
    default:
      return CounterAbsence::kNotOffered;
  }
}

PerfEvents::PerfEvents(PerfSyscalls& calls, std::vector<PerfTarget> targets,
                       std::vector<PerfPmu> pmus)
    : calls_(calls), targets_(std::move(targets)), pmus_(std::move(pmus)) {
  if (pmus_.size() > kMaxPmus) pmus_.resize(kMaxPmus);
  // Members are held by 16 bits.
  constexpr std::size_t kMaxTargets = 1024;
  if (targets_.size() > kMaxTargets) targets_.resize(kMaxTargets);
  // All that can ever be open, so that read() can open anew without allocating.
  const std::size_t most = targets_.size() * pmus_.size() * kCounterFields;
  counters_.reserve(most);
  groups_.reserve(most);
}

void PerfEvents::open(std::uint8_t fields) noexcept {
  fields_ |= fields;
  open_all();
}

void PerfEvents::open_all() noexcept {
  reopen_ = false;
  close_all();
  for (int i = 0; i < kCounterFields; ++i) {
    const auto field = static_cast<CounterField>(i);
    if ((fields_ & counter_bit(field)) == 0) continue;
    const int error = open_field(field);
    state(field).absence = CounterAbsence::kPresent;
    if (error == 0) continue;
    close_field(field);
    give_up(field, counter_absence(-error));
  }
  // Where counting starts. A group that cannot be read now starts at 0, which is right as well.
  for (Group& group : groups_) {
    if (!fetch(group)) continue;
    for (int i = 0; i < group.count; ++i) {
      Counter& counter = counters_[group.members[static_cast<std::size_t>(i)]];
      counter.last = counter.now;
    }
  }
}

int PerfEvents::open_field(CounterField field) noexcept {
  int opened = 0;
  int error = -ENOENT;
  for (int t = 0; t < static_cast<int>(targets_.size()); ++t) {
    const PerfTarget& target = targets_[static_cast<std::size_t>(t)];
    for (int p = 0; p < static_cast<int>(pmus_.size()); ++p) {
      if (!is_hardware(field) && p > 0) break;
      if (is_hardware(field) && target.cpu >= 0 &&
          !pmus_[static_cast<std::size_t>(p)].covers(target.cpu)) {
        continue;
      }
      const int result = open_one(field, t, p);
      if (result >= 0) {
        ++opened;
        continue;
      }
      error = result;
      if (result == -ESRCH && target.tid > 0) break;  // it has ended, and counts no more
      return result;
    }
  }
  return opened > 0 ? 0 : error;
}

int PerfEvents::open_one(CounterField field, int target, int pmu) noexcept {
  const bool hardware = is_hardware(field);
  PerfEncoding event{PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES};
  if (hardware) {
    const auto encoding = perf_encoding(pmus_[static_cast<std::size_t>(pmu)], field);
    if (!encoding) return -ENOENT;
    event = *encoding;
  } else if (field == CounterField::kCpuTime) {
    // The clock of a CPU also runs while it idles.
    if (targets_[static_cast<std::size_t>(target)].cpu >= 0) return -ENOENT;
    event.config = PERF_COUNT_SW_TASK_CLOCK;
  }
  Group* group = nullptr;
  for (Group& open : groups_) {
    const Counter& leader = counters_[open.members[0]];
    if (leader.target == target && leader.pmu == pmu && open.hardware == hardware) group = &open;
  }
  const PerfTarget& whose = targets_[static_cast<std::size_t>(target)];
  int fd = -EINVAL;
  if (group != nullptr && grouped_) {
    fd = open_event(event, hardware, whose, counters_[group->members[0]].fd);
  }
  if (fd < 0 && fd != -ESRCH && fd != -EMFILE) {
    group = nullptr;
    fd = open_event(event, hardware, whose, -1);
  }
  if (fd < 0) return fd;
  if (group == nullptr) {
    group = &groups_.emplace_back();
    group->hardware = hardware;
  }
  group->members[static_cast<std::size_t>(group->count++)] =
      static_cast<std::uint16_t>(counters_.size());
  counters_.push_back({field, target, pmu, fd, {}, {}});
  return fd;
}

int PerfEvents::open_event(const PerfEncoding& event, bool hardware, const PerfTarget& target,
                           int group) noexcept {
  perf_event_attr attr{};
  attr.size = sizeof(attr);
  attr.type = event.type;
  attr.config = event.config;
  attr.read_format =
      PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  for (int interrupted = 0;;) {
    attr.exclude_kernel = hardware && user_only_ ? 1 : 0;
    const int fd = calls_.open_event(attr, target.tid, target.cpu, group);
    if (fd == -EINTR && ++interrupted < kPatience) continue;
    // Without the privilege one's own user mode can still be counted. Not so a context switch: it
    // happens in the kernel, so that an event without the kernel opens and stays 0.
    if (is_refusal(fd) && hardware && !user_only_ && target.tid > 0) {
      user_only_ = true;
      continue;
    }
    return fd;
  }
}

void PerfEvents::close_field(CounterField field) noexcept {
  // It is the field opened last, hence the last member wherever it is one.
  while (!counters_.empty() && counters_.back().field == field) {
    calls_.close(counters_.back().fd);
    const auto index = static_cast<std::uint16_t>(counters_.size() - 1);
    for (Group& group : groups_) {
      if (group.members[static_cast<std::size_t>(group.count - 1)] == index) --group.count;
    }
    std::erase_if(groups_, [](const Group& group) { return group.count == 0; });
    counters_.pop_back();
  }
}

void PerfEvents::close_all() noexcept {
  // Members before their leader, or Linux makes each of them a leader first.
  for (auto it = counters_.rbegin(); it != counters_.rend(); ++it) calls_.close(it->fd);
  counters_.clear();
  groups_.clear();
}

void PerfEvents::give_up(CounterField field, CounterAbsence why) noexcept {
  fields_ &= static_cast<std::uint8_t>(~counter_bit(field));
  state(field).absence = why;
}

}  // namespace flyball
