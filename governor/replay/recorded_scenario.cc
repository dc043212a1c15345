#include "governor/replay/recorded_scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "env/scenario/plain_tasks.h"
#include "governor/replay/workload_finder.h"

namespace flyball {
namespace {

constexpr std::int64_t kLongestNs = 7 * 86'400LL * 1'000'000'000;

bool is_task(const RecordedRun::App& app) {
  return app.binding.profile.starts_with(task_profile_name(""));
}

std::string why_not(const RecordedRun& run, const PlatformSpec& platform) {
  if (!run.unusable.empty()) return run.unusable;
  if (run.epochs.empty()) return "the recording has no epochs";
  if (run.duration_ns() > kLongestNs) return "it lasts for more than a week";
  if (run.report.damaged_blocks + run.report.missing_blocks > 0)
    return "parts of the recording are missing, and with them jobs";
  if (run.jobs_unlisted > 0)
    return fmt::format("{} jobs are not in the recording, which lists 32 an epoch",
                       run.jobs_unlisted);
  if (run.apps.size() > kMaxApps)
    return fmt::format("applications came {} times; a simulation has room for {}", run.apps.size(),
                       kMaxApps);
  for (const RecordedRun::App& app : run.apps) {
    if (app.binding.plain_load)
      return fmt::format("'{}' is load that never ends: it has no jobs whose work could be known",
                         app.binding.name);
    const int profile = platform.find_app(app.binding.profile);
    if (profile < 0)
      return fmt::format(
          "'{}' is none of the platform's applications: what its jobs take is in no "
          "model",
          app.binding.profile);
    if (platform.apps[static_cast<std::size_t>(profile)].levels.size() != app.binding.levels.size())
      return fmt::format("'{}' has other levels on the platform than in the recording",
                         app.binding.profile);
  }
  if (std::ranges::all_of(run.apps, [](const auto& app) { return app.jobs.empty(); }))
    return "no job is in the recording";
  return "";
}

/// When the change was seen by a job first; else when it was seen at all.
std::int64_t change_ns(const RecordedRun& run, const RecordedRun::Change& change) {
  for (const JobRecord& job : run.apps[change.app].jobs) {
    if (job.release_ns <= change.after_ns) continue;
    if (job.release_ns > change.by_ns) break;
    const auto floor = static_cast<float>(change.required.accuracy_floor_pct);
    if (change.before.accuracy_floor_pct != change.required.accuracy_floor_pct &&
        job.accuracy_floor_pct == floor)
      return job.release_ns;
    if (change.before.deadline_ns != change.required.deadline_ns &&
        job.deadline_ns - job.release_ns == change.required.deadline_ns)
      return job.release_ns;
  }
  return change.by_ns;
}

/// Nothing in records of before, and of applications that came over the channel.
const int* queue_limit_of(const RecordedRun& run, const std::string& app) {
  for (const auto& [name, limit] : run.report.info.workload.queue_limits)
    if (name == app) return &limit;
  return nullptr;
}

AppSpec app_of(const RecordedRun& run, const RecordedRun::App& from, const PlatformSpec& platform,
               std::vector<std::string>& assumed) {
  AppSpec app;
  app.name = from.binding.name;
  app.profile = platform.find_app(from.binding.profile);
  app.arrival.kind = Arrival::Kind::kListed;
  app.required = from.required;
  app.threads = from.binding.threads;
  app.start_ns = from.start_ns;
  app.stop_ns = from.stop_ns;
  if (const int* limit = queue_limit_of(run, app.name)) {
    app.queue_limit = *limit;
  } else {
    const auto longest = static_cast<int>(from.longest_backlog);
    app.queue_limit =
        std::clamp(from.dropped_any ? longest : std::max(app.queue_limit, longest), 1, kMaxQueue);
    assumed.push_back(fmt::format(
        "how many jobs of '{}' may wait is not in the record, and was taken to be {}: where the other "
        "policy lets more wait the answer is off",
        app.name, app.queue_limit));
  }
  for (const JobRecord& job : from.jobs)
    app.arrival.listed.push_back({job.release_ns, job.deadline_ns - job.release_ns, 1});
  return app;
}

/// As the header says; else the capacity that its charge fell by, and none where it did not fall.
void add_battery(const RecordedRun& run, Scenario& scenario) {
  if (const RecordedWorkload& said = run.report.info.workload; said.battery_mj > 0) {
    scenario.battery_mj = said.battery_mj;
    scenario.battery_pct = said.battery_pct;
    scenario.battery_until_ns = said.battery_until_ns;
    return;
  }
  const double fell_pct = run.battery_first_pct - run.battery_last_pct;
  if (!(fell_pct > 0)) return;
  scenario.battery_mj = 100 * run.energy_mj / fell_pct;
  scenario.battery_pct = run.battery_first_pct;
  if (run.sustainable_mw > 0)
    scenario.battery_until_ns =
        std::llround(1e9 * scenario.battery_mj * scenario.battery_pct / 100 / run.sustainable_mw);
}

}  // namespace

Scenario scenario_as_said(const RecordedRun& run, const PlatformSpec& platform,
                          std::vector<std::string>& assumed) {
  Scenario scenario;
  scenario.name = run.report.info.scenario;
  scenario.duration_ns = run.duration_ns();
  scenario.energy_preference = run.preferences.front().value;
  scenario.plain_load = std::ranges::all_of(run.apps, is_task);
  for (const RecordedRun::App& app : run.apps)
    scenario.apps.push_back(app_of(run, app, platform, assumed));
  add_battery(run, scenario);
  for (const RecordedRun::Change& change : run.changes)
    scenario.events.push_back({change_ns(run, change), ScenarioEvent::Kind::kRequirements,
                               static_cast<int>(change.app), change.required, 0});
  for (std::size_t i = 1; i < run.preferences.size(); ++i)
    scenario.events.push_back({run.preferences[i].at_ns,
                               ScenarioEvent::Kind::kPreference,
                               -1,
                               {},
                               run.preferences[i].value});
  return scenario;
}

RecordedScenario recorded_scenario(const RecordedRun& run, const PlatformSpec& platform) {
  RecordedScenario recorded;
  recorded.refusal = why_not(run, platform);
  if (!recorded.refusal.empty()) return recorded;
  FoundWorkload found =
      find_workload(run, platform, scenario_as_said(run, platform, recorded.assumed));
  recorded.scenario = std::move(found.scenario);
  recorded.work_error_pct = found.work_error_pct;
  recorded.open_jobs = found.open_jobs;
  return recorded;
}

}  // namespace flyball
