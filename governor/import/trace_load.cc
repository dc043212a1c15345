#include "governor/import/trace_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr std::size_t kMaxWindows = 5'000'000;

struct CpuState {
  int pid = -1;  ///< -1: not known yet
  std::int64_t since_ns = 0;
  double freq_khz = 0;
};

struct ThreadState {
  int cpu = -1;  ///< on which it runs
  bool awake = false;
  std::int64_t release_ns = 0;
  double work_ns = 0;
  std::vector<Activation> activations;
};

class TracePlay {
 public:
  TracePlay(const Trace& trace, const TraceOptions& options, ImportFlags& flags)
      : trace_(trace),
        options_(options),
        flags_(flags),
        cpus_(static_cast<std::size_t>(trace.cpus)) {
    load_.length_ns = std::max<std::int64_t>(1, trace.end_ns - trace.start_ns);
    load_.notes = trace.notes;
    find_clocks();
    find_speeds();
    const auto windows =
        options.window_ns > 0
            ? static_cast<std::size_t>((load_.length_ns - 1) / options.window_ns + 1)
            : 0;
    if (windows * cpus_.size() > kMaxWindows)
      input_error("--window-ms", "makes more than five million rows", "make it longer");
    busy_ns_.assign(windows * cpus_.size(), 0);
    clock_.assign(windows * cpus_.size(), 0);
    for (CpuState& cpu : cpus_) cpu.since_ns = trace.start_ns;
  }

  TraceLoad run() {
    for (const TraceEvent& event : trace_.events) take(event);
    for (std::size_t c = 0; c < cpus_.size(); ++c) account(c, trace_.end_ns);
    std::size_t cut = 0;
    for (auto& [pid, thread] : threads_) {
      if (thread.awake && thread.work_ns > 0) ++cut;
      end_activation(thread);
      if (thread.activations.empty()) continue;
      TraceThread& out = load_.threads.emplace_back();
      out.pid = pid;
      const auto name = trace_.names.find(pid);
      out.name = name == trace_.names.end() ? fmt::format("{}", pid) : name->second;
      out.activations = std::move(thread.activations);
      for (const Activation& one : out.activations) out.work_ns += one.work_ns;
    }
    std::stable_sort(
        load_.threads.begin(), load_.threads.end(),
        [](const TraceThread& a, const TraceThread& b) { return a.work_ns > b.work_ns; });
    if (cut > 0)
      load_.notes.push_back(fmt::format(
          "{} threads were at work when the trace ended: the rest of that is not known.", cut));
    load_.notes.push_back(
        "How much of the work waits for memory, and takes as long at any clock, is not in a trace: "
        "all of it is taken to scale.");
    write_windows();
    return std::move(load_);
  }

 private:
  /// A CPU has its first clock from the beginning on, since kernels tell of changes only.
  void find_clocks() {
    highest_khz_.assign(cpus_.size(), 0);
    std::size_t before = 0;
    for (const TraceEvent& event : trace_.events) {
      if (event.kind != TraceEvent::Kind::kFrequency) continue;
      CpuState& cpu = cpus_[static_cast<std::size_t>(event.cpu)];
      const auto khz = static_cast<double>(event.value);
      if (cpu.freq_khz == 0) {
        cpu.freq_khz = khz;
        ++before;
      }
      double& highest = highest_khz_[static_cast<std::size_t>(event.cpu)];
      highest = std::max(highest, khz);
    }
    if (before == 0) {
      load_.notes.push_back(
          "Clocks are not in the trace (no cpu_frequency): work is time on a CPU, as if at its "
          "highest clock.");
    } else {
      load_.notes.push_back(
          "The clock before a CPU's first cpu_frequency is not told, and taken to be that one; the "
          "highest clock is the highest seen.");
      if (before < cpus_.size())
        load_.notes.push_back(
            fmt::format("Of {} of {} CPUs no clock is told: taken as the highest.",
                        cpus_.size() - before, cpus_.size()));
    }
  }

  /// What a CPU does in a nanosecond at its highest clock, of what the fastest does.
  void find_speeds() {
    speed_.assign(cpus_.size(), 1);
    if (!options_.capacities.empty()) {
      if (options_.capacities.size() != cpus_.size())
        input_error("--capacity",
                    fmt::format("has {} numbers, and the trace {} CPUs", options_.capacities.size(),
                                cpus_.size()),
                    "give one for each CPU, as /sys/devices/system/cpu/cpu*/cpu_capacity has them");
      const double most = *std::max_element(options_.capacities.begin(), options_.capacities.end());
      for (std::size_t c = 0; c < cpus_.size(); ++c) speed_[c] = options_.capacities[c] / most;
      return;
    }
    const double most = *std::max_element(highest_khz_.begin(), highest_khz_.end());
    for (std::size_t c = 0; c < cpus_.size(); ++c)
      if (highest_khz_[c] > 0) speed_[c] = highest_khz_[c] / most;
    load_.notes.push_back(
        "Capacities of the CPUs are not in a trace: all are taken to do the same in a cycle; say "
        "'--capacity' if you know them.");
  }

  /// What CPU `c` did until `now_ns`.
  void account(std::size_t c, std::int64_t now_ns) {
    CpuState& cpu = cpus_[c];
    std::int64_t at_ns = cpu.since_ns;
    cpu.since_ns = now_ns;
    const bool busy = cpu.pid > 0;
    if (busy) {
      const double clock = cpu.freq_khz > 0 ? cpu.freq_khz / highest_khz_[c] : 1;
      threads_[cpu.pid].work_ns += static_cast<double>(now_ns - at_ns) * clock * speed_[c];
    }
    while (at_ns < now_ns && !busy_ns_.empty()) {
      const auto window = static_cast<std::size_t>((at_ns - trace_.start_ns) / options_.window_ns);
      const std::int64_t end_ns = std::min(
          now_ns, trace_.start_ns + static_cast<std::int64_t>(window + 1) * options_.window_ns);
      const std::size_t i = window * cpus_.size() + c;
      if (i < busy_ns_.size()) {
        if (busy) busy_ns_[i] += end_ns - at_ns;
        clock_[i] += cpu.freq_khz * static_cast<double>(end_ns - at_ns);
      }
      at_ns = end_ns;
    }
  }

  void end_activation(ThreadState& thread) {
    const auto work_ns = static_cast<std::int64_t>(std::llround(thread.work_ns));
    if (work_ns > 0) thread.activations.push_back({thread.release_ns - trace_.start_ns, work_ns});
    thread.awake = false;
    thread.work_ns = 0;
  }

  void wake(ThreadState& thread, std::int64_t now_ns) const {
    if (thread.awake) return;
    thread.awake = true;
    thread.release_ns = now_ns;
    thread.work_ns = 0;
  }

  void take(const TraceEvent& event) {
    const auto c = static_cast<std::size_t>(event.cpu);
    switch (event.kind) {
      case TraceEvent::Kind::kFrequency:
        account(c, event.at_ns);
        cpus_[c].freq_khz = static_cast<double>(event.value);
        break;
      case TraceEvent::Kind::kWakeup:
        if (event.pid != 0) wake(threads_[event.pid], event.at_ns);
        break;
      case TraceEvent::Kind::kIdle:
        if (c < cpus_.size() && event.value >= 0 && cpus_[c].pid > 0)
          flags_.add(trace_.path, event.line,
                     "a CPU goes idle while a thread runs on it: events are missing before");
        break;
      case TraceEvent::Kind::kSwitch:
        take_switch(event, c);
        break;
    }
  }

  void take_switch(const TraceEvent& event, std::size_t c) {
    CpuState& cpu = cpus_[c];
    if (cpu.pid < 0 && event.pid > 0) {  // it ran since before the trace
      cpu.pid = event.pid;
      ThreadState& first = threads_[event.pid];
      if (!first.awake) wake(first, trace_.start_ns);
    } else if (cpu.pid >= 0 && cpu.pid != event.pid) {
      // What it ran is not known from somewhere in between on: that time is nobody's.
      flags_.add(trace_.path, event.line,
                 "a CPU switches from a thread that did not run on it: events are missing before");
      if (cpu.pid > 0) threads_[cpu.pid].cpu = -1;
      cpu.since_ns = event.at_ns;
    }
    account(c, event.at_ns);
    if (event.pid > 0) {
      ThreadState& left = threads_[event.pid];
      left.cpu = -1;
      if (event.sleeps) end_activation(left);
    }
    cpu.pid = event.next;
    if (event.next == 0) return;
    ThreadState& next = threads_[event.next];
    if (next.cpu >= 0 && next.cpu != event.cpu) {
      flags_.add(trace_.path, event.line,
                 "a thread is put on a CPU while it runs on another: events are missing before");
      CpuState& other = cpus_[static_cast<std::size_t>(next.cpu)];
      other.since_ns = event.at_ns;
      other.pid = -1;
    }
    wake(next, event.at_ns);
    next.cpu = event.cpu;
  }

  void write_windows() {
    for (std::size_t i = 0; i < busy_ns_.size(); ++i) {
      CpuWindow window;
      window.begin_ns = static_cast<std::int64_t>(i / cpus_.size()) * options_.window_ns;
      window.cpu = static_cast<int>(i % cpus_.size());
      const auto length =
          static_cast<double>(std::min(options_.window_ns, load_.length_ns - window.begin_ns));
      window.freq_khz = clock_[i] / length;
      window.busy_pct = 100 * static_cast<double>(busy_ns_[i]) / length;
      load_.windows.push_back(window);
    }
  }

  const Trace& trace_;
  const TraceOptions& options_;
  ImportFlags& flags_;
  TraceLoad load_;
  std::vector<CpuState> cpus_;
  std::vector<double> highest_khz_, speed_, clock_;
  std::vector<std::int64_t> busy_ns_;
  std::map<int, ThreadState> threads_;
};

}  // namespace

TraceLoad load_of(const Trace& trace, const TraceOptions& options, ImportFlags& flags) {
  return TracePlay(trace, options, flags).run();
}

}  // namespace flyball
