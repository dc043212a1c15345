#include "env/linux/perf_counter_source.h"

#include <algorithm>
#include <array>
#include <utility>

namespace flyball {

namespace {

constexpr std::uint8_t kAll = (1U << kCounterFields) - 1;

std::vector<PerfTarget> targets_of(const std::vector<int>& tids, const CpuSet& cpus) {
  std::vector<PerfTarget> targets;
  for (const int tid : tids) {
    if (tid > 0) targets.push_back({tid, -1});  // 0 and -1 mean other things to Linux
  }
  for (int i = 0; i < cpus.count(); ++i) targets.push_back({-1, cpus.nth(i)});
  return targets;
}

/// Of the cores that are measured.
std::vector<PerfPmu> pmus_of(const std::string& sysfs_root, const CpuSet& cpus) {
  std::vector<PerfPmu> pmus = find_perf_pmus(sysfs_root);
  if (!cpus.empty()) {
    std::erase_if(
        pmus, [&](const PerfPmu& pmu) { return !pmu.cpus.empty() && (pmu.cpus & cpus).empty(); });
  }
  return pmus;
}

const char* reason(CounterAbsence absence) {
  switch (absence) {
    case CounterAbsence::kNotPermitted:
      return "not permitted: needs CAP_PERFMON or a lower kernel.perf_event_paranoid";
    case CounterAbsence::kNoDescriptors:
      return "too many open files";
    case CounterAbsence::kCountsNothing:
      return "opens but counts nothing";
    case CounterAbsence::kNeverScheduled:
      return "no free counter";
    case CounterAbsence::kCannotBeRead:
      return "cannot be read any more";
    default:
      return "not offered by this machine";
  }
}

std::string names(std::uint8_t fields) {
  std::string text;
  for (int i = 0; i < kCounterFields; ++i) {
    const auto field = static_cast<CounterField>(i);
    if ((fields & counter_bit(field)) == 0) continue;
    if (!text.empty()) text += ", ";
    text += counter_name(field);
  }
  return text;
}

}  // namespace

PerfCounterSource::PerfCounterSource(const std::vector<int>& tids, const CpuSet& cpus,
                                     PerfMachine machine)
    : events_(machine.calls, targets_of(tids, cpus), pmus_of(machine.sysfs_root, cpus)),
      proc_(machine.calls, machine.proc_root, tids),
      from_proc_(proc_.fields()) {
  events_.open(kAll & static_cast<std::uint8_t>(~from_proc_));
}

bool PerfCounterSource::read(CounterSample& out) noexcept {
  ++tally_.reads;
  out = {};
  // Both are read, and counted from here on, or both keep counting.
  CounterSample events, proc;
  const bool good = proc_.read(proc) && events_.read(events);
  if (proc_.all_ended()) return false;
  if (good) {
    proc_.accept();
    out = events;
    for (const auto field : {CounterField::kContextSwitches, CounterField::kCpuTime}) {
      if (proc.is_valid(field)) out.set(field, proc.at(field));
    }
  } else {
    ++tally_.failed;
  }
  const auto lost = static_cast<std::uint8_t>(from_proc_ & ~proc_.fields());
  from_proc_ = proc_.fields();
  if (lost != 0) events_.open(lost);
  const bool fresh = out.valid != 0;
  hold_.complete(out, measured(), tally_);
  return fresh;
}

std::string PerfCounterSource::describe() const {
  if (proc_.all_ended()) return "Counters: none, the threads have ended";
  std::string text = "Counters: ";
  const auto add = [&](std::uint8_t fields, const std::string& remark) {
    if (fields == 0) return;
    if (!text.ends_with(": ")) text += "; ";
    text += names(fields) + " " + remark;
  };
  constexpr std::uint8_t kSoftware =
      counter_bit(CounterField::kContextSwitches) | counter_bit(CounterField::kCpuTime);
  constexpr std::uint8_t kCache =
      counter_bit(CounterField::kCacheMisses) | counter_bit(CounterField::kCacheReferences);
  std::string units;
  for (const PerfPmu& pmu : events_.pmus()) units += (units.empty() ? "" : ", ") + pmu.name;
  std::string by = "by hardware events of " + units;
  if ((events_.fields() & kCache) != 0) {
    by += std::string(", caches meaning ") + perf_cache_level(events_.pmus().front());
  }
  if (events_.user_only()) by += ", in user mode only";
  add(events_.fields() & static_cast<std::uint8_t>(~kSoftware), by);
  add(events_.fields() & kSoftware, "by software events");
  add(proc_.fields(), std::string("by /proc (") + proc_.file() + ")");
  std::array<std::uint8_t, 7> absent{};
  for (int i = 0; i < kCounterFields; ++i) {
    const auto field = static_cast<CounterField>(i);
    if ((measured() & counter_bit(field)) != 0) continue;
    absent[static_cast<std::size_t>(events_.absence(field))] |= counter_bit(field);
  }
  for (std::size_t i = 0; i < absent.size(); ++i) {
    add(absent[i], std::string("absent (") + reason(static_cast<CounterAbsence>(i)) + ")");
  }
  return text;
}

}  // namespace flyball
