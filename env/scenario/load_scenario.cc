#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "env/config/yaml.h"
#include "env/model/fastest.h"
#include "env/model/model.h"
#include "env/scenario/load_background.h"
#include "env/scenario/load_sensors.h"
#include "env/scenario/load_tasks.h"
#include "env/scenario/load_work.h"
#include "env/scenario/plain_tasks.h"
#include "env/scenario/rtapp_scenario.h"
#include "env/scenario/scenario.h"

namespace flyball {
namespace {

constexpr double kMaxSeconds = 100'000;  // a day and a bit
constexpr double kMaxMs = 1e8;
constexpr double kMinMs = 1e-3;
constexpr double kMaxMultiple = 1e6;  // of an application's reference time or energy

std::int64_t from_ms(double ms) { return std::llround(ms * 1e6); }
std::int64_t from_s(double s) { return std::llround(s * 1e9); }

/// The references that `_x` values of an application are multiples of.
struct Reference {
  double time_ns;
  double energy_mj;
};

/// BASE_ms or BASE_x, not both, of 1 us to a day and a bit; `fallback` when neither is there.
std::int64_t time_or(const YamlMap& map, const std::string& base, double reference_ns,
                     std::int64_t fallback) {
  const std::string in_ms = base + "_ms", in_x = base + "_x";
  if (map.has(in_ms) && map.has(in_x)) {
    map.reject(in_x, fmt::format("'{}' is given as well", in_ms), "give one of the two");
  }
  if (map.has(in_ms)) return from_ms(map.number(in_ms, kMinMs, kMaxMs));
  if (!map.has(in_x)) return fallback;
  const double ms = map.number(in_x, 1e-6, kMaxMultiple) * reference_ns * 1e-6;
  if (ms < kMinMs || ms > kMaxMs) {
    map.reject(in_x, fmt::format("comes to {:g} ms on this platform", ms),
               fmt::format("let it come to {} to {} ms", kMinMs, kMaxMs));
  }
  return from_ms(ms);
}

class Loader {
 public:
  Loader(const std::string& name_or_path, const PlatformSpec& platform)
      : platform_(platform),
        root_(YamlMap::file(find_config("scenarios", name_or_path), 1, kScenarioKeys)) {}

  Scenario load() {
    out_.name = root_.name("name");
    out_.description = root_.text_or("description", "");
    out_.duration_ns = from_s(root_.number("duration_s", 1e-3, kMaxSeconds));
    out_.ambient_c = root_.number_or("ambient_c", 25, -40, 85);
    out_.energy_preference = root_.number_or("energy_preference", 0.5, 0, 1);
    if (root_.has("battery")) {
      const YamlMap battery = root_.map("battery", {"capacity_mj", "charge_pct", "last_until_s"});
      out_.battery_mj = battery.number("capacity_mj", 1, 1e12);
      out_.battery_pct = battery.number_or("charge_pct", 100, 0, 100);
      out_.battery_until_ns = from_s(battery.number_or("last_until_s", 0, 0, kMaxSeconds));
    }
    load_apps();
    out_.background = load_background(root_, platform_, out_.duration_ns);
    load_events();
    out_.sensors = load_sensors(root_, out_.duration_ns);
    return std::move(out_);
  }

 private:
  const AppProfile& profile(const AppSpec& app) const {
    return platform_.apps[static_cast<std::size_t>(app.profile)];
  }

  int find_profile(const YamlMap& map) const {
    const std::string name = map.text("profile");
    std::vector<std::string> known;
    for (const AppProfile& app : platform_.apps) {
      if (!app.plain_load) known.push_back(app.name);
    }
    const int index = platform_.find_app(name);
    if (index < 0) {
      map.reject("profile",
                 fmt::format("platform '{}' has no application '{}'{}", platform_.name, name,
                             did_you_mean(name, known)),
                 fmt::format("use one of: {}", fmt::join(known, ", ")));
    }
    if (platform_.apps[static_cast<std::size_t>(index)].plain_load) {
      map.reject("profile", fmt::format("'{}' is a plain load, which has no jobs", name),
                 "list it under 'background', or use one of: " +
                     fmt::format("{}", fmt::join(known, ", ")));
    }
    return index;
  }

  void load_apps() {
    const auto apps =
        root_.list("apps", {"name", "profile", "arrival", "deadline_ms", "deadline_x", "grace_ms",
                            "grace_x", "objective",
                            "accuracy_floor_pct", "accuracy_floor_x", "energy_budget_mj",
                            "energy_budget_x", "power_budget_mw", "priority", "work_cv",
                            "work_correlation", "work", "threads", "queue_limit", "start_s",
                            "stop_s"});
    const auto tasks = root_.list("tasks", kTaskKeys);
    const std::size_t count = apps.size() + tasks.size();
    if (count == 0 || count > kMaxApps) {
      input_error(root_.where(apps.empty() && !tasks.empty() ? "tasks" : "apps"),
                  fmt::format("{} applications are listed", count == 0 ? "no" : "too many"),
                  fmt::format("list 1 to {}", kMaxApps));
    }
    for (const YamlMap& map : apps) load_app(map, find_profile(map), 4);
    // A thread that is late begins its next activation late: nothing queues.
    for (const YamlMap& map : tasks) load_app(map, find_task(map), 1);
    out_.plain_load = apps.empty();
  }

  int find_task(const YamlMap& map) const {
    const int index = platform_.find_app(task_profile_name(map.name("name")));
    if (index < 0) {
      map.reject("name", "it is a task of plain load, which is simulated only",
                 "use 'flyball compare', or list applications");
    }
    return index;
  }

  void load_app(const YamlMap& map, int profile_index, int queue_limit) {
    AppSpec app;
    app.name = map.name("name");
    if (app_index(app.name) >= 0) {
      map.reject("name", fmt::format("another application is called '{}' too", app.name),
                 "give each its own name");
    }
    app.profile = profile_index;
    references_.push_back(
        {reference_time_ns(platform_, profile(app)), reference_energy_mj(platform_, profile(app))});
    const Reference& reference = references_.back();
    load_arrival(map, reference, app.arrival);
    app.required.period_ns = app.arrival.nominal_gap_ns(app.arrival.period_ns);
    deadline_follows_.push_back(!map.has("deadline_ms") && !map.has("deadline_x"));
    app.required.deadline_ns = app.arrival.period_ns;
    read_requirements(map, app, reference, app.required);
    app.work_cv = map.number_or("work_cv", 0, 0, 2);
    app.work_correlation = map.number_or("work_correlation", 0, 0, 0.999);
    if (map.has("work_correlation") && app.work_cv == 0) {
      map.reject("work_correlation", "the work does not vary from job to job",
                 "give a 'work_cv' above 0, or remove it");
    }
    app.threads = static_cast<int>(map.integer_or("threads", 1, 1, 64));
    app.queue_limit = static_cast<int>(map.integer_or("queue_limit", queue_limit, 1, kMaxQueue));
    const double duration_s = static_cast<double>(out_.duration_ns) / 1e9;
    app.start_ns = from_s(map.number_or("start_s", 0, 0, duration_s));
    app.stop_ns = from_s(map.number_or("stop_s", duration_s, 0, duration_s));
    if (app.stop_ns <= app.start_ns) {
      map.reject(map.has("stop_s") ? "stop_s" : "start_s", "it stops before it starts",
                 "make 'stop_s' later than 'start_s'");
    }
    app.work_trends = load_work(map, app.start_ns, app.stop_ns);
    work_now_.push_back(1);
    warn_of_deadline(map, app, app.required, "from the start");
    out_.apps.push_back(std::move(app));
  }

  static void load_arrival(const YamlMap& map, const Reference& reference, Arrival& arrival) {
    const YamlMap in = map.map("arrival", {"kind", "period_ms", "period_x", "jitter", "burst_jobs",
                                           "burst_gap_ms", "burst_gap_x"});
    arrival.kind = static_cast<Arrival::Kind>(in.choice("kind", {"periodic", "bursty", "poisson"}));
    arrival.period_ns = time_or(in, "period", reference.time_ns, 0);
    if (arrival.period_ns == 0) {
      input_error(in.where(), "it has no period", "give 'period_ms' or 'period_x'");
    }
    if (arrival.kind == Arrival::Kind::kPoisson) {
      in.refuse_keys({"jitter"}, "the gaps of 'poisson' arrivals are random as they are");
    }
    arrival.jitter = in.number_or("jitter", 0, 0, 0.49);
    if (arrival.kind != Arrival::Kind::kBursty) {
      for (const char* key : {"burst_jobs", "burst_gap_ms", "burst_gap_x"}) {
        if (in.has(key)) in.reject(key, "the arrival is not bursty", "use 'kind: bursty'");
      }
      return;
    }
    arrival.burst_jobs = static_cast<int>(in.integer("burst_jobs", 1, 1000));
    arrival.burst_gap_ns = time_or(in, "burst_gap", reference.time_ns, from_ms(kMinMs));
    if (!burst_fits(arrival, arrival.period_ns)) {
      in.reject("burst_jobs", "a burst lasts longer than its period",
                "use fewer jobs, a smaller gap or a longer period");
    }
  }

  /// Cannot overflow: 1000 jobs of kMaxMs are 1e17 ns.
  static bool burst_fits(const Arrival& arrival, std::int64_t period_ns) {
    return arrival.burst_gap_ns * (arrival.burst_jobs - 1) < period_ns;
  }

  /// Takes over the requirements that `map` names; true when there are any.
  bool read_requirements(const YamlMap& map, const AppSpec& app, const Reference& reference,
                         Requirements& required) const {
    const Requirements before = required;
    required.deadline_ns = time_or(map, "deadline", reference.time_ns, required.deadline_ns);
    required.grace_ns = time_or(map, "grace", reference.time_ns, required.grace_ns);
    if (map.has("objective")) {
      required.objective =
          static_cast<Objective>(map.choice("objective", {"energy", "accuracy", "latency"}));
    }
    required.accuracy_floor_pct =
        map.number_or("accuracy_floor_pct", required.accuracy_floor_pct, 0, 100);
    if (map.has("accuracy_floor_x")) {
      if (map.has("accuracy_floor_pct")) {
        map.reject("accuracy_floor_x", "'accuracy_floor_pct' is given as well",
                   "give one of the two");
      }
      // Of the whole application, so that one scenario asks the same of every network.
      required.accuracy_floor_pct =
          map.number("accuracy_floor_x", 0, 1) * profile(app).levels.back().accuracy_pct;
    }
    const double highest = profile(app).highest_accuracy_pct();
    if (map.has("accuracy_floor_pct") && required.accuracy_floor_pct > highest) {
      map.reject("accuracy_floor_pct",
                 fmt::format("no level of '{}' reaches {:g} %; the highest available is {:g} %",
                             profile(app).name, required.accuracy_floor_pct, highest),
                 fmt::format("ask for {:g} or less", highest));
    }
    if (map.has("energy_budget_mj") && map.has("energy_budget_x")) {
      map.reject("energy_budget_x", "'energy_budget_mj' is given as well", "give one of the two");
    }
    required.energy_budget_mj =
        map.number_or("energy_budget_mj", required.energy_budget_mj, 0, 1e9);
    if (map.has("energy_budget_x")) {
      required.energy_budget_mj =
          map.number("energy_budget_x", 0, kMaxMultiple) * reference.energy_mj;
    }
    required.power_budget_mw = map.number_or("power_budget_mw", required.power_budget_mw, 0, 1e7);
    required.priority = static_cast<int>(map.integer_or("priority", required.priority, 0, 100));
    return !(required == before);
  }

  void warn_of_deadline(const YamlMap& map, const AppSpec& app, const Requirements& required,
                        const std::string& since) {
    const FastestConfiguration best =
        fastest_configuration(platform_, profile(app), required.accuracy_floor_pct);
    if (best.mapping < 0 || best.time_ns <= static_cast<double>(required.deadline_ns)) return;
    out_.warnings.push_back(fmt::format(
        "{}: application '{}': its deadline of {:.4g} ms is infeasible {} on '{}', where the "
        "fastest configuration ({} at {}) needs {:.4g} ms; its jobs count as infeasible",
        map.where(), app.name, static_cast<double>(required.deadline_ns) * 1e-6, since,
        platform_.name, platform_.mappings[static_cast<std::size_t>(best.mapping)].name,
        profile(app).level_text(best.level), best.time_ns * 1e-6));
  }

  int app_index(const std::string& name) const {
    for (std::size_t a = 0; a < out_.apps.size(); ++a) {
      if (out_.apps[a].name == name) return static_cast<int>(a);
    }
    return -1;
  }

  int event_app(const YamlMap& map) const {
    const std::string name = map.text("app");
    const int index = app_index(name);
    if (index < 0) {
      std::vector<std::string> known;
      for (const AppSpec& app : out_.apps) known.push_back(app.name);
      map.reject("app",
                 fmt::format("no application is called '{}'{}", name, did_you_mean(name, known)),
                 fmt::format("use one of: {}", fmt::join(known, ", ")));
    }
    return index;
  }

  void load_events() {
    const std::vector<YamlMap> list =
        root_.list("events", {"at_s", "app", "deadline_ms", "deadline_x", "grace_ms", "grace_x",
                              "objective", "accuracy_floor_pct",
                              "accuracy_floor_x", "energy_budget_mj", "energy_budget_x",
                              "power_budget_mw", "priority", "period_ms", "period_x", "announced",
                              "work_x", "ambient_c", "energy_preference", "battery_pct"});
    const double duration_s = static_cast<double>(out_.duration_ns) / 1e9;
    // Requirements build on those before them, so time order comes first. Pointers are sorted: to
    // assign a YAML::Node is to change the document.
    std::vector<std::pair<double, const YamlMap*>> ordered;
    for (const YamlMap& map : list) ordered.emplace_back(map.number("at_s", 0, duration_s), &map);
    std::stable_sort(ordered.begin(), ordered.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Requirements> now;
    for (const AppSpec& app : out_.apps) now.push_back(app.required);
    for (const auto& [at_s, map] : ordered) load_event(*map, from_s(at_s), now);
  }

  void load_event(const YamlMap& map, std::int64_t at_ns, std::vector<Requirements>& now) {
    const std::size_t before = out_.events.size();
    const auto add = [&](ScenarioEvent::Kind kind, double value) {
      out_.events.push_back({at_ns, kind, -1, {}, value});
    };
    if (map.has("ambient_c")) {
      add(ScenarioEvent::Kind::kAmbient, map.number("ambient_c", -40, 85));
    }
    if (map.has("energy_preference")) {
      add(ScenarioEvent::Kind::kPreference, map.number("energy_preference", 0, 1));
    }
    if (map.has("battery_pct")) {
      if (out_.battery_mj <= 0) {
        map.reject("battery_pct", "the scenario has no battery", "give it a 'battery'");
      }
      add(ScenarioEvent::Kind::kBattery, map.number("battery_pct", 0, 100));
    }
    constexpr std::string_view kOfAnApp[] = {
        "deadline_ms",      "deadline_x",      "grace_ms",           "grace_x",
        "objective",        "accuracy_floor_pct", "accuracy_floor_x",
        "energy_budget_mj", "energy_budget_x", "power_budget_mw",    "priority",
        "period_ms",        "period_x",        "work_x"};
    bool any = out_.events.size() > before, of_an_app = false;
    for (const std::string_view key : kOfAnApp) {
      if (!map.has(key)) continue;
      if (!map.has("app"))
        map.reject(key, "it does not say of which application", "add 'app: NAME'");
      any = of_an_app = true;
    }
    if (map.has("app") && any && !of_an_app) {
      map.reject("app", "the event changes nothing of an application", "remove it");
    }
    if (!any) {
      input_error(map.where(), "the event changes nothing",
                  "name an 'app' with what it now requires, or 'ambient_c', 'energy_preference' or "
                  "'battery_pct'");
    }
    if (map.has("app")) load_app_event(map, at_ns, now);
  }

  /// False: the application keeps a change of its rate to itself.
  static bool announced(const YamlMap& map) {
    if (map.has("announced") && !map.has("period_ms") && !map.has("period_x")) {
      map.reject("announced", "it is of a new period, and the event has none",
                 "give 'period_ms' or 'period_x', or remove it: work is never announced");
    }
    const bool said = map.boolean_or("announced", true);
    if (!said) {
      map.refuse_keys({"deadline_ms", "deadline_x", "grace_ms", "grace_x", "objective",
                       "accuracy_floor_pct", "accuracy_floor_x", "energy_budget_mj",
                       "energy_budget_x", "power_budget_mw", "priority"},
                      "what is asked for is announced, and this event is not");
    }
    return said;
  }

  void load_app_event(const YamlMap& map, std::int64_t at_ns, std::vector<Requirements>& now) {
    const int index = event_app(map);
    const auto a = static_cast<std::size_t>(index);
    const AppSpec& app = out_.apps[a];
    Requirements& required = now[a];
    const std::int64_t period_ns = time_or(map, "period", references_[a].time_ns, 0);
    const Requirements old = required;
    const bool said = announced(map);
    if (map.has("work_x")) {
      const double work = map.number("work_x", kLeastWork, kMostWork);
      out_.apps[a].work_trends.push_back({at_ns, at_ns, 1, work / work_now_[a]});
      work_now_[a] = work;
    }
    if (period_ns > 0) {
      if (!burst_fits(app.arrival, period_ns)) {
        map.reject(map.has("period_ms") ? "period_ms" : "period_x",
                   "a burst lasts longer than this period", "use a longer one");
      }
      out_.events.push_back(
          {at_ns, ScenarioEvent::Kind::kPeriod, index, {}, static_cast<double>(period_ns), said});
      if (said) required.period_ns = app.arrival.nominal_gap_ns(period_ns);
      if (said && deadline_follows_[a]) required.deadline_ns = period_ns;
    }
    if (map.has("deadline_ms") || map.has("deadline_x")) deadline_follows_[a] = false;
    read_requirements(map, app, references_[a], required);
    if (required == old) return;
    out_.events.push_back({at_ns, ScenarioEvent::Kind::kRequirements, index, required, 0});
    warn_of_deadline(map, app, required,
                     fmt::format("from {:g} s on", static_cast<double>(at_ns) * 1e-9));
  }

  const PlatformSpec& platform_;
  YamlMap root_;
  Scenario out_;
  std::vector<Reference> references_;   ///< per application
  std::vector<bool> deadline_follows_;  ///< per application: none is given, it is the period
  std::vector<double> work_now_;        ///< per application: by the events so far
};

}  // namespace

Scenario load_scenario(const std::string& name_or_path, const PlatformSpec& platform) {
  if (is_rtapp(name_or_path)) return load_rtapp(name_or_path, platform);
  return Loader(name_or_path, platform).load();
}

}  // namespace flyball
