#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "env/linux/counter_source.h"
#include "env/linux/perf_pmu.h"
#include "env/linux/perf_syscalls.h"

namespace flyball {

/// A thread or a CPU; the other is -1.
struct PerfTarget {
  int tid = -1;
  int cpu = -1;
};

/// Why a field is not measured.
enum class CounterAbsence : std::uint8_t {
  kPresent,
  kNotOffered,
  kNotPermitted,
  kNoDescriptors,
  kCountsNothing,
  kNeverScheduled,
  kCannotBeRead,
};
CounterAbsence counter_absence(int error);

/// Held perf events of a set of threads or of CPUs, summed over the set. A field is counted for all
/// of the set and on every type of core, or not at all: part of a sum looks like a sum.
///
/// An event that opens is not yet an event. The numbers of an Arm unit can open and read 0 for
/// ever, and a group can pass the test at opening and never fit beside what else is counted. So a
/// hardware field is not valid before it has moved once on each unit that ran; groups that are never
/// on the hardware are opened event by event; and what still shows nothing on a busy CPU is closed
/// after kPatience looks.
///
/// Threads are followed across units: on a machine with several types of core each thread has an
/// event per unit, of which one at a time runs. Together they are one counter that ran for the sum
/// of their times; scaling each alone would count a thread that migrates several times over.
class PerfEvents {
 public:
  static constexpr int kPatience = 8;

  PerfEvents(PerfSyscalls& calls, std::vector<PerfTarget> targets, std::vector<PerfPmu> pmus);
  ~PerfEvents() { close_all(); }
  PerfEvents(const PerfEvents&) = delete;
  PerfEvents& operator=(const PerfEvents&) = delete;

  /// Opens these beside those that are open. Starts all counts anew.
  void open(std::uint8_t fields) noexcept;
  /// Sets the fields that have data of the whole stretch since the last good reading. False, and
  /// nothing is lost, when a descriptor failed.
  bool read(CounterSample& out) noexcept;
  /// CPUs that were idle since the last reading: to read their events would wake them.
  void skip_cpus(const CpuSet& idle) noexcept { idle_ = idle; }

  std::uint8_t fields() const { return fields_; }  ///< what is open
  CounterAbsence absence(CounterField field) const { return state(field).absence; }
  bool user_only() const { return user_only_; }
  bool grouped() const { return grouped_; }
  const std::vector<PerfPmu>& pmus() const { return pmus_; }

 private:
  struct Count {
    std::uint64_t value = 0, enabled = 0, running = 0;
  };
  struct Counter {
    CounterField field{};
    int target = 0;
    int pmu = 0;
    int fd = -1;
    Count now, last;
  };
  /// One read(2): the counters of one target on one unit. The first leads.
  struct Group {
    std::array<std::uint16_t, kCounterFields> members{};
    int count = 0;
    bool hardware = false;
    int failures = 0;  ///< in a row
  };
  struct State {
    CounterAbsence absence = CounterAbsence::kNotOffered;
    std::array<bool, kMaxPmus> moved{};
    int blind_looks = 0;  ///< in a row, on busy CPUs
    bool reopened = false;
  };
  struct Sum;

  State& state(CounterField field) { return states_[static_cast<std::size_t>(field)]; }
  const State& state(CounterField field) const { return states_[static_cast<std::size_t>(field)]; }
  void open_all() noexcept;
  int open_field(CounterField field) noexcept;
  int open_one(CounterField field, int target, int pmu) noexcept;
  int open_event(const PerfEncoding& event, bool hardware, const PerfTarget& target,
                 int group) noexcept;
  void close_field(CounterField field) noexcept;
  void close_all() noexcept;
  bool fetch(Group& group) noexcept;
  bool skipped(const Counter& counter) const;
  void mend_failures() noexcept;
  Sum sum_of(CounterField field) noexcept;
  unsigned busy_units() const noexcept;
  bool judge(CounterField field, const Sum& sum, unsigned busy_units) noexcept;
  void give_up(CounterField field, CounterAbsence why) noexcept;

  PerfSyscalls& calls_;
  std::vector<PerfTarget> targets_;
  std::vector<PerfPmu> pmus_;
  std::vector<Counter> counters_;
  std::vector<Group> groups_;
  std::array<State, kCounterFields> states_{};
  CpuSet idle_;
  std::uint8_t fields_ = 0;
  bool grouped_ = true;
  bool user_only_ = false;
  bool reopen_ = false;
};

}  // namespace flyball
