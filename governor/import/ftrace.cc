#include "governor/import/ftrace.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "governor/fit/table_text.h"
#include "kernels/base/control_character.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr std::size_t kMaxEvents = 20'000'000;
constexpr int kMaxCpu = 1023;
constexpr std::int64_t kMaxSeconds = 9'000'000'000;  // trace_clock may be that of the calendar
constexpr std::int64_t kMaxKhz = 10'000'000;
constexpr std::string_view kDigits = "0123456789";

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of(kDigits) == text.npos;
}

template <class T>
std::optional<T> whole_number(std::string_view text) {
  T value{};
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  const std::string_view word = text.substr(0, std::min(text.find_first_of(" \t"), text.size()));
  text.remove_prefix(word.size());
  return word;
}

/// Of "name=value"; nothing when it is not there. Names of threads may have blanks in them: those end
/// where the next key begins.
std::optional<std::string_view> field(std::string_view text, std::string_view key,
                                      std::string_view until = " ") {
  std::size_t at = 0;
  while (true) {
    at = text.find(key, at);
    if (at == text.npos) return std::nullopt;
    if (at == 0 || text[at - 1] == ' ' || text[at - 1] == '\t') break;
    at += key.size();
  }
  text.remove_prefix(at + key.size());
  return text.substr(0, std::min(text.find(until), text.size()));
}

/// Whether who is switched away sleeps: as letters ("S", "R+"), or the kernel's bits, of which the
/// low byte says it and those above that it was preempted.
bool sleeps_in(std::string_view state) {
  if (const auto bits = whole_number<long>(state)) return (*bits & 0xff) != 0;
  return !state.empty() && state.front() != 'R';
}

class TraceReader {
 public:
  TraceReader(const std::string& path, ImportFlags& flags) : lines_(path), flags_(flags) {
    trace_.path = path;
  }

  Trace read() {
    std::string_view line;
    while (lines_.next(line)) read_line(line);
    if (trace_.events.empty() && trace_.other_events == 0)
      input_error(trace_.path, "is no text of ftrace: no line of it is an event",
                  "give /sys/kernel/tracing/trace, or what 'trace-cmd report' prints");
    if (std::none_of(trace_.events.begin(), trace_.events.end(), [](const TraceEvent& event) {
          return event.kind == TraceEvent::Kind::kSwitch;
        }))
      input_error(trace_.path, "has no event sched_switch, so that nothing tells who worked",
                  "record it with 'trace-cmd record -e sched_switch -e sched_wakeup "
                  "-e cpu_frequency -e cpu_idle'");
    if (trace_.other_events > 0)
      trace_.notes.push_back(
          fmt::format("{} events of other kinds are passed over.", trace_.other_events));
    return std::move(trace_);
  }

 private:
  [[noreturn]] void cut_off(const std::string& why) const {
    input_error(lines_.where(), why, "it may be cut off: mend the line, or remove it");
  }

  static bool says_nothing(std::string_view line) {
    for (const std::string_view start :
         {"#", "version", "cpus=", "cpu ", "=>", "trace-cmd", "<stack"})
      if (line.starts_with(start)) return true;
    // "CPU 0 is empty"
    return line.empty() || (line.starts_with("CPU ") && line.ends_with("is empty"));
  }

  void read_line(std::string_view line) {
    if (line.starts_with("CPU") &&
        (line.find("LOST") != line.npos || line.find("DROPPED") != line.npos)) {
      flags_.add(trace_.path, lines_.number(), "the kernel lost events here");
      return;
    }
    if (says_nothing(line)) return;
    // "comm-pid (tgid) [cpu] flags time: event: what", whatever stands in the name.
    std::size_t open = 0, close = 0;
    while (true) {
      open = line.find('[', open);
      if (open == line.npos) cut_off("is no line of a trace");
      close = line.find(']', open);
      if (close == line.npos) cut_off("is no line of a trace");
      if (open > 0 && is_number(line.substr(open + 1, close - open - 1)) &&
          (line[open - 1] == ' ' || line[open - 1] == '\t'))
        break;
      ++open;
    }
    const auto cpu = whole_number<int>(line.substr(open + 1, close - open - 1));
    if (!cpu || *cpu > kMaxCpu)
      input_error(lines_.where(), "has a CPU beyond 1023", "mend the line, or remove it");
    std::string_view rest = line.substr(close + 1);
    std::string_view time = next_word(rest);
    if (!time.ends_with(':')) time = next_word(rest);  // that were the flags
    if (!time.ends_with(':')) cut_off("has no time");
    const std::int64_t at_ns = time_of(time.substr(0, time.size() - 1));
    std::string_view name = next_word(rest);
    if (!name.ends_with(':')) cut_off("has no event");
    name.remove_suffix(1);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    trace_.cpus = std::max(trace_.cpus, *cpu + 1);
    if (!begun_) trace_.start_ns = at_ns;
    begun_ = true;
    trace_.end_ns = at_ns;
    TraceEvent event;
    event.at_ns = at_ns;
    event.line = static_cast<int>(lines_.number());
    event.cpu = static_cast<std::int16_t>(*cpu);
    read_event(name, rest, event);
  }

  std::int64_t time_of(std::string_view text) {
    const std::size_t point = text.find('.');
    const auto seconds = whole_number<std::int64_t>(text.substr(0, std::min(point, text.size())));
    std::string fraction(point == text.npos ? "0" : text.substr(point + 1));
    if (!seconds || *seconds < 0 || !is_number(fraction) || fraction.size() > 9)
      cut_off(fmt::format("its time '{}' is none in seconds", shown_text(text)));
    if (*seconds > kMaxSeconds)
      input_error(lines_.where(),
                  fmt::format("its time '{}' is beyond 280 years", shown_text(text)),
                  "mend the line, or remove it");
    fraction.resize(9, '0');
    const std::int64_t at_ns = *seconds * 1'000'000'000 + *whole_number<std::int64_t>(fraction);
    if (begun_ && at_ns < trace_.end_ns)
      input_error(
          lines_.where(),
          fmt::format("time goes back from {:.6f} to {:.6f} s",
                      static_cast<double>(trace_.end_ns) * 1e-9, static_cast<double>(at_ns) * 1e-9),
          "give one trace, in the order of time, as 'trace-cmd report' prints it");
    return at_ns;
  }

  void add(const TraceEvent& event) {
    trace_.events.push_back(event);
    if (trace_.events.size() > kMaxEvents)
      input_error(trace_.path, fmt::format("has more than {} events", kMaxEvents), "split it");
  }

  void read_event(std::string_view name, std::string_view what, TraceEvent& event) {
    using Kind = TraceEvent::Kind;
    if (name == "sched_switch") {
      event.kind = Kind::kSwitch;
      read_switch(what, event);
    } else if (name == "sched_wakeup" || name == "sched_wakeup_new") {
      event.kind = Kind::kWakeup;
      read_wakeup(what, event);
    } else if (name == "cpu_frequency") {
      read_clock(what, event);
    } else if (name == "cpu_idle") {
      event.kind = Kind::kIdle;
      const auto state = whole_number<std::int64_t>(field(what, "state=").value_or(""));
      if (!state) cut_off("is a cpu_idle without 'state='");
      event.value = *state > 1000 ? -1 : *state;
      event.cpu = cpu_of(what, "cpu_idle");
      add(event);
    } else if (const std::size_t at = what.find("cpu_frequency_devlib:"); at != what.npos) {
      // The devlib of Arm writes the clocks as a marker, since some kernels tell of changes only.
      read_clock(what.substr(at + 21), event);
    } else {
      ++trace_.other_events;
    }
  }

  std::int16_t cpu_of(std::string_view what, const char* kind) const {
    const auto cpu = whole_number<int>(field(what, "cpu_id=").value_or(""));
    if (!cpu) cut_off(fmt::format("is a {} without 'cpu_id='", kind));
    if (*cpu < 0 || *cpu > kMaxCpu)
      input_error(lines_.where(), "has a CPU beyond 1023", "mend the line, or remove it");
    return static_cast<std::int16_t>(*cpu);
  }

  void read_clock(std::string_view what, TraceEvent& event) {
    event.kind = TraceEvent::Kind::kFrequency;
    const auto khz = whole_number<std::int64_t>(field(what, "state=").value_or(""));
    if (!khz) cut_off("is a cpu_frequency without 'state='");
    event.value = *khz;
    event.cpu = cpu_of(what, "cpu_frequency");
    trace_.cpus = std::max(trace_.cpus, event.cpu + 1);
    if (*khz <= 0 || *khz > kMaxKhz) {
      flags_.add(trace_.path, event.line, fmt::format("a clock of {} kHz", *khz));
      ++trace_.refused_events;
      return;
    }
    add(event);
  }

  int pid_of(std::optional<std::string_view> text, const char* key) const {
    const auto pid = whole_number<int>(text.value_or(""));
    if (!pid || *pid < 0) cut_off(fmt::format("has no '{}'", key));
    return *pid;
  }

  void name_thread(int pid, std::string_view name) {
    if (pid != 0) trace_.names[pid] = printable(name.substr(0, 32));
  }

  void read_switch(std::string_view what, TraceEvent& event) {
    if (what.starts_with("prev_comm=")) {
      event.pid = pid_of(field(what, "prev_pid="), "prev_pid=");
      const auto state = field(what, "prev_state=");
      if (!state || state->empty()) cut_off("has no 'prev_state='");
      event.sleeps = sleeps_in(*state);
      event.next = pid_of(field(what, "next_pid="), "next_pid=");
      if (!field(what, "next_prio=")) cut_off("has no 'next_prio='");
      name_thread(event.pid, field(what, "prev_comm=", " prev_pid=").value_or(""));
      name_thread(event.next, field(what, "next_comm=", " next_pid=").value_or(""));
    } else {
      // "sh:1642 [120] S ==> sshd:1639 [120]"
      const std::size_t arrow = what.find("==>");
      if (arrow == what.npos) cut_off("is a sched_switch without '==>'");
      std::string_view state = what.substr(0, arrow);
      event.pid = read_thread(state);
      event.sleeps = sleeps_in(next_word(state));
      std::string_view to = what.substr(arrow + 3);
      event.next = read_thread(to);
    }
    add(event);
  }

  /// Of "comm:pid [prio] ...", of which the rest is left.
  int read_thread(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    const std::size_t prio = text.find(" [");
    const std::size_t close = prio == text.npos ? prio : text.find(']', prio);
    if (close == text.npos) cut_off("names no thread with its priority");
    const std::string_view thread = text.substr(0, prio);
    const std::size_t colon = thread.rfind(':');
    if (colon == thread.npos) cut_off("names no thread with its number");
    const int pid = pid_of(thread.substr(colon + 1), "comm:pid");
    name_thread(pid, thread.substr(0, colon));
    text.remove_prefix(close + 1);
    return pid;
  }

  void read_wakeup(std::string_view what, TraceEvent& event) {
    if (what.starts_with("comm=")) {
      event.pid = pid_of(field(what, "pid="), "pid=");
      name_thread(event.pid, field(what, "comm=", " pid=").value_or(""));
    } else {
      event.pid = read_thread(what);
    }
    add(event);
  }

  TextLines lines_;
  ImportFlags& flags_;
  Trace trace_;
  bool begun_ = false;
};

}  // namespace

Trace read_trace(const std::string& path, ImportFlags& flags) {
  return TraceReader(path, flags).read();
}

}  // namespace flyball
