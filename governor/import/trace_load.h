#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "governor/import/flags.h"
#include "governor/import/ftrace.h"

namespace flyball {

/// A stretch of a thread from waking to sleeping.
struct Activation {
  std::int64_t release_ns = 0;  ///< after the trace's first event
  std::int64_t work_ns = 0;     ///< on the fastest CPU at its highest clock
};

struct TraceThread {
  int pid = 0;
  std::string name;
  std::vector<Activation> activations;
  std::int64_t work_ns = 0;
};

/// A CPU in a window of the trace.
struct CpuWindow {
  std::int64_t begin_ns = 0;
  int cpu = 0;
  double freq_khz = 0;  ///< mean; 0: not told
  double busy_pct = 0;
};

struct TraceLoad {
  std::int64_t length_ns = 0;
  std::vector<TraceThread> threads;  ///< those that worked, who worked most first
  std::vector<CpuWindow> windows;
  std::vector<std::string> notes;  ///< what could not be told, a sentence each
};

struct TraceOptions {
  std::vector<double> capacities;  ///< of each CPU, as Linux's cpu_capacity; empty: not known
  std::int64_t window_ns = 0;      ///< 0: no windows are wanted
};

/// Throws Error (kInput) where the capacities are not as many as the trace's CPUs.
TraceLoad load_of(const Trace& trace, const TraceOptions& options, ImportFlags& flags);

/// The load in rt-app's JSON, which is a scenario: each of the first `threads` works as long as it
/// did, at the times at which it woke. Says in `notes` how much was left out.
std::string rtapp_text(const TraceLoad& load, std::size_t threads, std::vector<std::string>& notes);

/// time_s, cpu, freq_khz, busy_pct.
std::string window_text(const TraceLoad& load);

}  // namespace flyball
