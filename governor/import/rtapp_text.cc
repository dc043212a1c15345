#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "governor/import/trace_load.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr std::int64_t kMostTraceSeconds = 3600;  // that a scenario of rt-app's may last

std::string plain_text(const std::string& name) {
  std::string text;
  for (const char c : name)
    text += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' ? c : '_';
  return text.empty() ? "thread" : text;
}

/// Works, and sleeps until it woke the next time: its timer counts from its start, so that a machine
/// that is slower does not move the times at which it is woken.
void put_thread(const TraceThread& thread, std::string& text) {
  const auto us = [](std::int64_t ns) { return (ns + 500) / 1000; };
  const std::vector<Activation>& all = thread.activations;
  const std::int64_t start_us = us(all.front().release_ns);
  auto out = std::back_inserter(text);
  fmt::format_to(out, "      \"delay\": {},\n      \"loop\": 1", start_us);
  std::int64_t timer_us = start_us;
  for (std::size_t i = 0; i < all.size(); ++i) {
    fmt::format_to(out, ",\n      \"run{}\": {}", i, std::max<std::int64_t>(1, us(all[i].work_ns)));
    if (i + 1 == all.size()) break;
    const std::int64_t gap_us = std::max<std::int64_t>(1, us(all[i + 1].release_ns) - timer_us);
    timer_us += gap_us;
    fmt::format_to(out,
                   ", \"timer{}\": {{\"ref\": \"unique\", \"period\": {}, \"mode\": \"absolute\"}}",
                   i, gap_us);
  }
  text += '\n';
}

}  // namespace

std::string rtapp_text(const TraceLoad& load, std::size_t threads,
                       std::vector<std::string>& notes) {
  const std::int64_t seconds = (load.length_ns - 1) / 1'000'000'000 + 1;
  if (load.threads.empty())
    input_error("the trace", "no thread works in it", "record one while something runs");
  if (seconds > kMostTraceSeconds)
    input_error("the trace", fmt::format("lasts {} s, a scenario an hour at most", seconds),
                "split it");
  std::int64_t all_ns = 0, kept_ns = 0;
  for (std::size_t t = 0; t < load.threads.size(); ++t) {
    all_ns += load.threads[t].work_ns;
    if (t < threads) kept_ns += load.threads[t].work_ns;
  }
  if (load.threads.size() > threads)
    notes.push_back(
        fmt::format("Of {} threads the {} are kept that worked most: {:.1f} % of the work.",
                    load.threads.size(), threads,
                    100 * static_cast<double>(kept_ns) / static_cast<double>(all_ns)));
  std::string text = "{\n  \"tasks\": {\n";
  for (std::size_t t = 0; t < std::min(threads, load.threads.size()); ++t) {
    const TraceThread& thread = load.threads[t];
    const std::string name = fmt::format("{}-{}", plain_text(thread.name), thread.pid);
    text += fmt::format("{}    \"{}\": {{\n", t > 0 ? ",\n" : "", name);
    put_thread(thread, text);
    text += "    }";
  }
  text += fmt::format(
      "\n  }},\n  \"global\": {{\n    \"duration\": {},\n    \"default_policy\": \"SCHED_OTHER\"\n "
      " }}\n}}\n",
      seconds);
  return text;
}

std::string window_text(const TraceLoad& load) {
  std::string text = "time_s,cpu,freq_khz,busy_pct\n";
  for (const CpuWindow& window : load.windows) {
    const std::string khz = window.freq_khz > 0 ? fmt::format("{:.0f}", window.freq_khz) : "";
    fmt::format_to(std::back_inserter(text), "{:g},{},{},{:.2f}\n",
                   static_cast<double>(window.begin_ns) * 1e-9, window.cpu, khz, window.busy_pct);
  }
  return text;
}

}  // namespace flyball
