#include "env/scenario/rtapp.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "env/config/yaml.h"
#include "env/config/yaml_nodes.h"

namespace flyball {
namespace {

constexpr std::int64_t kMaxUs = 3'600'000'000;  // an hour
constexpr std::int64_t kMaxLoops = 1'000'000'000;
constexpr int kMaxCpu = 1023;
constexpr int kMaxThreads = 1024;

/// Keys that say how rt-app reports and measures, and nothing of the load.
constexpr std::string_view kOfTheTool[] = {"calibration", "logdir",          "log_basename",
                                           "log_size",    "ftrace",          "gnuplot",
                                           "frag",        "lock_pages",      "pi_enabled",
                                           "io_device",   "mem_buffer_size", "cumulative_slack"};

using Entries = std::vector<std::pair<YAML::Node, YAML::Node>>;

/// Of a mapping, in the file's order, those that recur too.
Entries entries(const YAML::Node& map) {
  Entries all;
  for (const auto& entry : map) all.emplace_back(entry.first, entry.second);
  return all;
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  RtAppFile read() {
    // JSON is YAML, and YAML has what workgen adds to it.
    const YAML::Node root = read_document(path_, "give rt-app's JSON, with an object 'tasks'");
    for (const auto& [key, value] : entries(root)) {
      const std::string name = key.Scalar();
      if (name != "tasks" && name != "global" && name != "resources") {
        refuse(key, "is none of rt-app's", "keep 'tasks' and 'global'");
      }
      if (name == "global") read_global(object(key, value));
    }
    for (const auto& [key, value] : entries(root)) {
      if (key.Scalar() != "tasks") continue;
      for (const auto& [task, body] : entries(object(key, value)))
        read_task(task, object(task, body));
    }
    if (out_.tasks.empty()) {
      input_error(path_, "it has no tasks", "give rt-app's JSON, with an object 'tasks'");
    }
    if (out_.duration_ns == 0) {
      input_error(path_, "it does not say how long it is",
                  "give 'duration' in 'global', in seconds");
    }
    out_.resources = static_cast<int>(resources_.size());
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(const YAML::Node& key, const std::string& why,
                           const std::string& remedy) const {
    input_error(fmt::format("{}: key '{}'", place(path_, key.Mark()), shown(key.Scalar())), why,
                remedy);
  }

  const YAML::Node& object(const YAML::Node& key, const YAML::Node& value) const {
    if (!value.IsMap()) refuse(key, "must be an object, but is " + kind_of(value), "use {...}");
    return value;
  }

  std::int64_t integer(const YAML::Node& key, const YAML::Node& value, std::int64_t min,
                       std::int64_t max) const {
    const auto number = parse_number<std::int64_t>(value);
    if (!number || *number < min || *number > max) {
      refuse(key, fmt::format("must be a whole number, but is {}", kind_of(value)),
             fmt::format("use {} to {}", min, max));
    }
    return *number;
  }

  std::string text(const YAML::Node& key, const YAML::Node& value) const {
    if (!value.IsScalar()) refuse(key, "must be a text, but is " + kind_of(value), "use \"...\"");
    return value.Scalar();
  }

  int resource(const std::string& kind, const std::string& name) {
    return resources_.try_emplace(kind + ' ' + name, static_cast<int>(resources_.size()))
        .first->second;
  }

  void check_policy(const YAML::Node& key, const YAML::Node& value) const {
    if (text(key, value) != "SCHED_OTHER") {
      refuse(key, "only threads of SCHED_OTHER are played", "use \"SCHED_OTHER\"");
    }
  }

  void note(const std::string& text) {
    const std::string line = fmt::format("{}: {}", path_, text);
    if (std::find(out_.notes.begin(), out_.notes.end(), line) == out_.notes.end())
      out_.notes.push_back(line);
  }

  void read_global(const YAML::Node& global) {
    for (const auto& [key, value] : entries(global)) {
      const std::string name = key.Scalar();
      if (name == "duration") {
        out_.duration_ns = integer(key, value, 1, 3600) * 1'000'000'000;
      } else if (name == "default_policy") {
        check_policy(key, value);
      } else if (std::find(std::begin(kOfTheTool), std::end(kOfTheTool), name) ==
                 std::end(kOfTheTool)) {
        refuse(key, "is not understood", "remove it");
      }
    }
  }

  /// What a thread and a phase may both have; false when it is something else.
  bool read_property(const YAML::Node& key, const YAML::Node& value) {
    const std::string name = key.Scalar();
    if (name == "policy") {
      check_policy(key, value);
    } else if (name == "priority") {
      integer(key, value, -20, 19);
      note("'priority' has no effect: all threads are played as equal");
    } else {
      return false;
    }
    return true;
  }

  void read_task(const YAML::Node& name, const YAML::Node& body) {
    RtAppTask task;
    task.where = fmt::format("{}: task '{}'", place(path_, name.Mark()), shown(name.Scalar()));
    bool has_phases = false;
    for (const auto& [key, value] : entries(body))
      has_phases = has_phases || key.Scalar() == "phases";
    RtAppPhase only;
    for (const auto& [key, value] : entries(body)) {
      const std::string word = key.Scalar();
      if (word == "instance") {
        task.instances = static_cast<int>(integer(key, value, 1, kMaxCpu));
      } else if (word == "delay") {
        task.delay_ns = 1000 * integer(key, value, 0, kMaxUs);
      } else if (word == "loop") {
        task.loops = integer(key, value, -1, kMaxLoops);
      } else if (word == "cpus") {
        read_cpus(key, value, task.cpus);
      } else if (word == "phases") {
        for (const auto& [phase, events] : entries(object(key, value)))
          task.phases.push_back(read_phase(object(phase, events), name));
        if (task.phases.empty()) refuse(key, "is empty", "give a phase with its events");
      } else if (!read_property(key, value)) {
        if (has_phases) refuse(key, "is not understood beside 'phases'", "put it into a phase");
        read_event(key, value, name, only.events);
      }
    }
    task.name = plain_name(name.Scalar(), task.instances);
    if (!has_phases) task.phases.push_back(std::move(only));
    std::erase_if(task.phases, [](const RtAppPhase& phase) { return phase.events.empty(); });
    if (task.phases.empty()) refuse(name, "does nothing", "give it a 'run' and a 'sleep'");
    threads_ += task.instances;
    if (threads_ > kMaxThreads) {
      refuse(name, fmt::format("is beyond {} threads in all", kMaxThreads),
             "leave tasks or instances out");
    }
    for (int i = 1; i <= task.instances; ++i) names_.insert(thread_name(task, i));
    out_.tasks.push_back(std::move(task));
  }

  RtAppPhase read_phase(const YAML::Node& body, const YAML::Node& task) {
    RtAppPhase phase;
    for (const auto& [key, value] : entries(body)) {
      if (key.Scalar() == "loop") {
        phase.loops = integer(key, value, 1, kMaxLoops);
      } else if (!read_property(key, value)) {
        read_event(key, value, task, phase.events);
      }
    }
    return phase;
  }

  void read_cpus(const YAML::Node& key, const YAML::Node& value, std::vector<int>& cpus) const {
    if (!value.IsSequence() || value.size() == 0) {
      refuse(key, "must be a list, but is " + kind_of(value), "use [0, 1]");
    }
    for (const auto& cpu : value) cpus.push_back(static_cast<int>(integer(key, cpu, 0, kMaxCpu)));
    std::sort(cpus.begin(), cpus.end());
  }

  /// {"ref": ..., "mutex"|"period": ...}
  YAML::Node field(const YAML::Node& key, const YAML::Node& value, const char* name) const {
    for (const auto& [word, content] : entries(object(key, value))) {
      if (word.Scalar() == name) return content;
    }
    refuse(key, fmt::format("has no '{}'", name), "add it");
  }

  void check_fields(const YAML::Node& key, const YAML::Node& value,
                    std::initializer_list<std::string_view> known) const {
    for (const auto& [word, content] : entries(object(key, value))) {
      if (std::find(known.begin(), known.end(), word.Scalar()) == known.end())
        refuse(word, "is not understood", "remove it");
    }
  }

  void read_event(const YAML::Node& key, const YAML::Node& value, const YAML::Node& task,
                  std::vector<RtAppEvent>& out) {
    using Kind = RtAppEvent::Kind;
    // Numbers at the end make keys unique: run, run1.
    std::string word = key.Scalar();
    word.erase(word.find_last_not_of("0123456789") + 1);
    RtAppEvent event;
    if (word == "run" || word == "runtime" || word == "sleep") {
      event.kind = word == "run" ? Kind::kRun : word == "sleep" ? Kind::kSleep : Kind::kRuntime;
      event.ns = 1000 * integer(key, value, 0, kMaxUs);
    } else if (word == "timer") {
      check_fields(key, value, {"ref", "period", "mode"});
      event.kind = Kind::kTimer;
      const std::string ref = text(key, field(key, value, "ref"));
      event.own = ref.starts_with("unique");
      event.resource = resource("timer", ref);
      event.ns = 1000 * integer(key, field(key, value, "period"), 1, kMaxUs);
      if (value["mode"]) {
        const std::string mode = text(key, value["mode"]);
        if (mode != "absolute" && mode != "relative") {
          refuse(key, fmt::format("its mode is '{}'", shown(mode)),
                 "use \"relative\" or \"absolute\"");
        }
        event.absolute = mode == "absolute";
      }
    } else if (word == "suspend" || word == "resume") {
      event.kind = word == "suspend" ? Kind::kSuspend : Kind::kResume;
      std::string whom = text(key, value);
      if (whom.empty() && word == "suspend") whom = task.Scalar();
      event.resource = resource("thread", whom);
    } else if (word == "lock" || word == "unlock") {
      event.kind = word == "lock" ? Kind::kLock : Kind::kUnlock;
      event.resource = resource("mutex", text(key, value));
    } else if (word == "signal" || word == "broad") {
      event.kind = word == "signal" ? Kind::kSignal : Kind::kBroadcast;
      event.resource = resource("condition", text(key, value));
    } else if (word == "wait" || word == "sync") {
      check_fields(key, value, {"ref", "mutex"});
      event.kind = Kind::kWait;
      event.resource = resource("condition", text(key, field(key, value, "ref")));
      event.mutex = resource("mutex", text(key, field(key, value, "mutex")));
      if (word == "sync") {
        const RtAppEvent lock{.kind = Kind::kLock, .resource = event.mutex};
        const RtAppEvent signal{.kind = Kind::kSignal, .resource = event.resource};
        const RtAppEvent unlock{.kind = Kind::kUnlock, .resource = event.mutex};
        out.insert(out.end(), {lock, signal, event, unlock});
        return;
      }
    } else {
      refuse(
          key, "is not understood",
          "use run, runtime, sleep, timer, suspend, resume, lock, unlock, wait, signal, broad or "
          "sync, or remove it");
    }
    out.push_back(event);
  }

  /// As names of applications are; each of its own.
  std::string plain_name(std::string name, int instances) const {
    for (char& c : name) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '_' || c == '-';
      if (!plain) c = '_';
    }
    name = name.empty() ? "thread" : name.substr(0, 24);
    std::string unique = name;
    const auto taken = [&] {
      RtAppTask named{};
      named.name = unique, named.instances = instances;
      for (int i = 1; i <= instances; ++i)
        if (names_.contains(thread_name(named, i))) return true;
      return false;
    };
    for (int n = 2; taken(); ++n) unique = fmt::format("{}_{}", name, n);
    return unique;
  }

  const std::string& path_;
  RtAppFile out_;
  std::map<std::string, int> resources_;
  std::set<std::string> names_;  ///< of threads
  int threads_ = 0;
};

}  // namespace

std::string thread_name(const RtAppTask& task, int instance) {
  return task.instances == 1 ? task.name : fmt::format("{}-{}", task.name, instance);
}

RtAppFile read_rtapp(const std::string& path) {
  try {
    return Reader(path).read();
  } catch (const YAML::Exception& e) {
    input_error(place(path, e.mark), "not rt-app's JSON: " + shown(e.msg), "mend it here");
  }
}

}  // namespace flyball
