// The half of PerfEvents that reads.
#include "env/linux/perf_events.h"

#include <algorithm>
#include <cerrno>

namespace flyball {

namespace {

/// A shorter run says nothing about whether an event works.
constexpr std::uint64_t kBusyNs = 1'000'000;
/// On a CPU, whose events also run while it idles: so much was counted by others, then it was busy.
constexpr double kBusyCounts = 1e6;

}  // namespace

/// What a field's counters say of the stretch since the last reading.
struct PerfEvents::Sum {
  double value = 0;
  std::uint64_t unseen = 0;  ///< time of targets that ran while their events did not
  bool proven = false;       ///< on each unit that ran the event has moved, now or before
  unsigned blind_units = 0;  ///< bit per unit that ran and where it never has
};

bool PerfEvents::skipped(const Counter& counter) const {
  return idle_.contains(targets_[static_cast<std::size_t>(counter.target)].cpu);
}

bool PerfEvents::fetch(Group& group) noexcept {
  std::array<std::uint64_t, 3 + kCounterFields> words{};  // nr, enabled, running, values
  const auto count = static_cast<std::size_t>(group.count);
  Counter& leader = counters_[group.members[0]];
  ssize_t got = -EINTR;
  for (int i = 0; got == -EINTR && i < kPatience; ++i) {
    got = calls_.read_event(leader.fd, words.data(), sizeof(words));
  }
  if (got != static_cast<ssize_t>((3 + count) * sizeof(words[0])) || words[0] != count) {
    return false;
  }
  for (std::size_t i = 0; i < count; ++i) {
    Counter& counter = counters_[group.members[i]];
    counter.now = {words[3 + i], words[1], words[2]};
    if (counter.now.value < counter.last.value || counter.now.enabled < counter.last.enabled ||
        counter.now.running < counter.last.running) {
      return false;  // a counter never runs backwards
    }
  }
  return true;
}

bool PerfEvents::read(CounterSample& out) noexcept {
  bool failed = false;
  bool mend = false;
  for (Group& group : groups_) {
    if (skipped(counters_[group.members[0]])) {
      for (int i = 0; i < group.count; ++i) {
        Counter& counter = counters_[group.members[static_cast<std::size_t>(i)]];
        counter.now = counter.last;
      }
    } else if (fetch(group)) {
      group.failures = 0;
    } else {
      failed = true;
      mend |= ++group.failures >= kPatience;
    }
  }
  // All or nothing: what one event lacks would be set against a longer stretch of another's.
  if (failed) {
    if (mend) mend_failures();
    return false;
  }
  const unsigned busy = busy_units();
  const std::uint8_t open = fields_;
  for (int i = 0; i < kCounterFields; ++i) {
    const auto field = static_cast<CounterField>(i);
    if ((open & counter_bit(field)) == 0) continue;
    const Sum sum = sum_of(field);
    if (judge(field, sum, busy)) out.set(field, sum.value);
  }
  for (Counter& counter : counters_) counter.last = counter.now;
  if (out.is_valid(CounterField::kCacheMisses) || out.is_valid(CounterField::kCacheReferences)) {
    out.cache_level = perf_cache_level(pmus_[0]);
  }
  if (reopen_) open_all();
  return true;
}

unsigned PerfEvents::busy_units() const noexcept {
  std::array<double, kMaxPmus> counts{};
  std::array<std::uint64_t, kMaxPmus> running{};
  for (const Group& group : groups_) {
    if (!group.hardware) continue;
    for (int i = 0; i < group.count; ++i) {
      const Counter& counter = counters_[group.members[static_cast<std::size_t>(i)]];
      const auto unit = static_cast<std::size_t>(counter.pmu);
      counts[unit] += static_cast<double>(counter.now.value - counter.last.value);
      if (i == 0) running[unit] += counter.now.running - counter.last.running;
    }
  }
  unsigned busy = 0;
  if (targets_.empty()) return busy;
  for (std::size_t unit = 0; unit < kMaxPmus; ++unit) {
    // The events of a thread run only while it does.
    const bool on_cpu = targets_[0].cpu >= 0;
    if (on_cpu ? counts[unit] >= kBusyCounts : running[unit] >= kBusyNs) busy |= 1U << unit;
  }
  return busy;
}

PerfEvents::Sum PerfEvents::sum_of(CounterField field) noexcept {
  Sum sum;
  State& state = this->state(field);
  const bool hardware = field < CounterField::kContextSwitches;
  // Opened target by target: those of one target stand together.
  for (std::size_t i = 0; i < counters_.size();) {
    if (counters_[i].field != field) {
      ++i;
      continue;
    }
    const int target = counters_[i].target;
    std::uint64_t value = 0, enabled = 0, running = 0;
    for (; i < counters_.size() && counters_[i].field == field && counters_[i].target == target;
         ++i) {
      const Counter& counter = counters_[i];
      bool& moved = state.moved[static_cast<std::size_t>(counter.pmu)];
      const std::uint64_t change = counter.now.value - counter.last.value;
      const std::uint64_t ran = counter.now.running - counter.last.running;
      moved |= change > 0 || !hardware;
      if (ran > 0 && !moved) sum.blind_units |= 1U << static_cast<unsigned>(counter.pmu);
      value += change;
      running += ran;
      enabled = std::max(enabled, counter.now.enabled - counter.last.enabled);
    }
    if (running == 0) {
      sum.unseen += enabled;
      continue;
    }
    const double scale =
        enabled > running ? static_cast<double>(enabled) / static_cast<double>(running) : 1.0;
    sum.value += static_cast<double>(value) * scale;
  }
  const bool ever = std::any_of(state.moved.begin(), state.moved.end(), [](bool m) { return m; });
  sum.proven = ever && sum.blind_units == 0;
  return sum;
}

bool PerfEvents::judge(CounterField field, const Sum& sum, unsigned busy_units) noexcept {
  State& state = this->state(field);
  if (sum.unseen == 0 && sum.proven) {
    state.blind_looks = 0;
    state.reopened = false;
    return true;
  }
  const bool scheduled = sum.unseen == 0;
  const bool telling = scheduled ? (sum.blind_units & busy_units) != 0 : sum.unseen >= kBusyNs;
  if (!telling || ++state.blind_looks < kPatience) return false;
  state.blind_looks = 0;
  reopen_ = true;
  if (!scheduled && grouped_) {
    grouped_ = false;
    for (State& each : states_) each.blind_looks = 0;  // the others of the group are blind with it
  } else {
    give_up(field, scheduled ? CounterAbsence::kCountsNothing : CounterAbsence::kNeverScheduled);
  }
  return false;
}

void PerfEvents::mend_failures() noexcept {
  std::uint8_t failing = 0;
  for (const Group& group : groups_) {
    if (group.failures < kPatience) continue;
    for (int i = 0; i < group.count; ++i) {
      failing |= counter_bit(counters_[group.members[static_cast<std::size_t>(i)]].field);
    }
  }
  for (int i = 0; i < kCounterFields; ++i) {
    const auto field = static_cast<CounterField>(i);
    if ((failing & counter_bit(field)) == 0) continue;
    // Opened anew once: a CPU that came back, a unit that was reset.
    if (state(field).reopened) give_up(field, CounterAbsence::kCannotBeRead);
    state(field).reopened = true;
  }
  open_all();
}

}  // namespace flyball
