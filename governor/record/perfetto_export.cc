#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "agents/explain.h"
#include "env/ledger/arrivals.h"
#include "governor/record/export.h"
#include "governor/record/json_text.h"
#include "governor/record/output_text.h"
#include "kernels/base/output_file.h"

namespace flyball {
namespace {

constexpr OutputKind kTraceOutput{"a trace that 'record export' made",
                                  "{\"otherData\": {\"made by\": \"flyball record export\""};
constexpr int kPlatform = 1, kApplications = 2;  // what Perfetto calls processes
constexpr int kDecisions = 1;                    // a thread of the platform's

/// Writes the events of the trace event format, one a line. Time stamps are in microseconds.
class Trace {
 public:
  Trace(OutputText& file, const RecordingInfo& info)
      : file_(file), info_(info), monitors_(info.platform, info.weights, info.measured) {
    name("process_name", kPlatform, 0, info.platform.name);
    name("thread_name", kPlatform, kDecisions, "decisions of " + info.policy);
    name("process_name", kApplications, 0, "applications");
    forget_counters();
  }

  void bind(int slot, const Binding& binding) {
    bindings_[slot] = binding;
    monitors_.bind(slot, binding, {});
    forget_counters();
    const auto [thread, is_new] =
        threads_.emplace(std::pair(slot, binding.name), threads_.size() + 1);
    if (is_new) name("thread_name", kApplications, thread->second, binding.name);
  }

  void unbind(int slot) {
    monitors_.unbind(slot);
    forget_counters();
  }

  /// Whatever is in the monitor table, over the epoch at whose end it was read.
  void epoch(const Observation& now, const DecisionRow& row) {
    const std::int64_t began_ns = now.now_ns - now.epoch_ns;
    const std::vector<Monitor>& rows = monitors_.rows();
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (rows[i].shown) counter(i, began_ns, rows[i], flyball::read(rows[i], now).value);
    if (row.recorded && row.decision.fresh) decision(began_ns, row);
  }

  void job(const JobRecord& job) {
    const auto bound = bindings_.find(job.app);
    const std::string app = bound == bindings_.end() ? std::to_string(job.app) : bound->second.name;
    const auto thread = threads_.find({job.app, app});
    const char* flag = job.dropped ? " (dropped)" : job.missed ? " (deadline missed)" : "";
    std::string& out =
        begin(job.dropped ? "i" : "X", kApplications, thread == threads_.end() ? 0 : thread->second,
              job.dropped ? job.release_ns : job.start_ns, app + flag);
    if (job.dropped)
      out += ", \"s\": \"t\"";
    else
      out += fmt::format(", \"dur\": {}", micros(job.finish_ns - job.start_ns));
    out += job.missed ? ", \"cat\": \"job,missed\", \"cname\": \"terrible\"" : ", \"cat\": \"job\"";
    out += fmt::format(", \"args\": {{\"job\": {}, \"missed\": {}, \"deadline_ms\": ", job.sequence,
                       job.missed);
    append_json(out, job.deadline_ns == kNeverNs
                         ? std::numeric_limits<double>::quiet_NaN()
                         : static_cast<double>(job.deadline_ns - job.release_ns) / 1e6);
    if (!job.dropped) {
      out += ", \"latency_ms\": ";
      append_json(out, static_cast<double>(job.latency_ns()) / 1e6);
      out += ", \"energy_mj\": ";
      append_json(out, job.energy_mj);
      out += ", \"mapping\": ";
      const auto& mappings = info_.platform.mappings;
      append_json(out, job.setting.mapping < mappings.size() ? mappings[job.setting.mapping].name
                                                             : std::to_string(job.setting.mapping));
      if (bound != bindings_.end() && job.setting.level < bound->second.levels.size()) {
        out += ", \"level\": ";
        append_json(out,
                    level_text(bound->second.knobs, bound->second.levels[job.setting.level].knob,
                               LevelText::kWithUnits));
      }
    }
    out += '}';
    end();
  }

 private:
  static std::string micros(std::int64_t ns) {
    return fmt::format("{}.{:03}", ns / 1000, std::abs(ns % 1000));
  }

  void decision(std::int64_t at_ns, const DecisionRow& row) {
    std::string& out =
        begin("i", kPlatform, kDecisions, at_ns, row.decision.explored() ? "explored" : "decided");
    const auto app = bindings_.find(row.decision.reason.index);
    out += ", \"s\": \"t\", \"cat\": \"decision\", \"args\": {\"why\": ";
    append_json(out, explain(row.decision, info_.platform,
                             app == bindings_.end() ? Binding() : app->second));
    out += ", \"verdict\": ";
    append_json(out, verdict_name(row.verdict));
    out += ", \"probability\": ";
    append_json(out, row.executed_probability(), 6);
    out += fmt::format(", \"decide_ns\": {}}}", row.decide_ns);
    end();
  }

  /// Only what has changed: Perfetto holds a counter until its next value.
  void counter(std::size_t index, std::int64_t at_ns, const Monitor& row, double value) {
    if (!std::isfinite(value) || counters_[index] == value) return;
    counters_[index] = value;
    const bool of_app = row.scope == Monitor::Scope::kApp;
    std::string& out = begin("C", of_app ? kApplications : kPlatform, 0, at_ns, row.name);
    out += ", \"args\": {";
    append_json(out, row.unit.empty() ? "value" : row.unit);
    out += ": ";
    append_json(out, value);
    out += '}';
    end();
  }
  /// Rows have come or gone.
  void forget_counters() { counters_.assign(monitors_.rows().size(), std::nan("")); }

  void name(const char* what, int process, std::size_t thread, const std::string& name) {
    std::string& out = begin("M", process, thread, 0, what);
    out += ", \"args\": {\"name\": ";
    append_json(out, name);
    out += '}';
    end();
  }

  std::string& begin(const char* phase, int process, std::size_t thread, std::int64_t at_ns,
                     const std::string& name) {
    std::string& out = file_.text();
    out += events_++ > 0 ? ",\n" : "\n";
    out += fmt::format("{{\"ph\": \"{}\", \"pid\": {}, \"tid\": {}, \"ts\": {}, \"name\": ", phase,
                       process, thread, micros(at_ns));
    append_json(out, name);
    return out;
  }
  void end() {
    file_.text() += '}';
    file_.flush_when_long();
  }

  OutputText& file_;
  const RecordingInfo& info_;
  std::map<int, Binding> bindings_;
  std::map<std::pair<int, std::string>, std::size_t> threads_;
  MonitorTable monitors_;
  std::vector<double> counters_;  ///< as last written, of each row of the table
  std::size_t events_ = 0;
};

}  // namespace

RecordingReport export_perfetto(const std::string& recording, const std::string& to) {
  const RecordingInfo info = read_recording(recording, {}).info;
  if (to != "-") check_output("--out " + to, to, kTraceOutput);
  OutputText file(to);
  std::string& text = file.text();
  text += kTraceOutput.start;
  for (const auto& [key, value] :
       {std::pair("policy", info.policy), std::pair("scenario", info.scenario)}) {
    text += fmt::format(", \"{}\": ", key);
    append_json(text, value);
  }
  text += "}, \"displayTimeUnit\": \"ms\", \"traceEvents\": [";
  Trace trace(file, info);
  RecordingVisitor visitor;
  visitor.on_bind = [&](int slot, const Binding& binding, const Observation&) {
    trace.bind(slot, binding);
  };
  visitor.on_unbind = [&](int slot) { trace.unbind(slot); };
  visitor.on_epoch = [&](const Observation& now, const DecisionRow& row) { trace.epoch(now, row); };
  visitor.on_job = [&](const JobRecord& job) { trace.job(job); };
  const RecordingReport report = read_recording(recording, visitor);
  text += "\n]}\n";
  file.put_in_place();
  return report;
}

}  // namespace flyball
