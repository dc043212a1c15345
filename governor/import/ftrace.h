#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "governor/import/flags.h"

namespace flyball {

/// What of a trace of the Linux kernel matters here.
struct TraceEvent {
  enum class Kind : std::uint8_t { kSwitch, kWakeup, kFrequency, kIdle };
  std::int64_t at_ns = 0;
  std::int64_t value = 0;  ///< kFrequency: kHz; kIdle: the state, -1 when it is left
  int line = 0;
  int pid = 0;  ///< kSwitch: who ran; kWakeup: who is woken
  int next = 0;
  std::int16_t cpu = 0;
  Kind kind = Kind::kSwitch;
  bool sleeps = false;  ///< kSwitch: who ran waits for something
};

struct Trace {
  std::string path;
  std::vector<TraceEvent> events;
  std::map<int, std::string> names;  ///< of threads; the last that it had
  int cpus = 0;
  std::int64_t start_ns = 0, end_ns = 0;             ///< of the first and last event of any kind
  std::size_t other_events = 0, refused_events = 0;  ///< of other kinds; that cannot be true
  std::vector<std::string> notes;
};

/// Reads the text of /sys/kernel/tracing/trace or of 'trace-cmd report'. Throws Error (kInput) with
/// file and line: it is none, a line is cut off, time goes back.
Trace read_trace(const std::string& path, ImportFlags& flags);

}  // namespace flyball
