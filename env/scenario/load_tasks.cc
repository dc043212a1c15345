#include "env/scenario/load_tasks.h"

#include "env/config/yaml.h"
#include "env/scenario/plain_tasks.h"
#include "env/scenario/rtapp_scenario.h"

namespace flyball {
namespace {

std::vector<PlainTask> tasks_of(const std::string& scenario, const PlatformSpec& platform) {
  if (is_rtapp(scenario)) return rtapp_tasks(scenario, platform);
  const YamlMap root = YamlMap::file(find_config("scenarios", scenario), 1, kScenarioKeys);
  std::vector<PlainTask> tasks;
  for (const YamlMap& map : root.list("tasks", kTaskKeys)) {
    PlainTask& task = tasks.emplace_back();
    task.name = map.name("name");
    task.work_ms = map.number("work_ms", 1e-3, 1e6);
    task.memory_share = map.number_or("memory_share", 0, 0, 0.99);
    task.activity = map.number_or("activity", 1, 0, 2);
  }
  return tasks;
}

}  // namespace

void add_task_profiles(const std::string& scenario, PlatformSpec& platform) {
  const std::vector<PlainTask> tasks = tasks_of(scenario, platform);
  std::vector<AppProfile> profiles;  // of the platform as its file has it, in whatever order
  for (const PlainTask& task : tasks) profiles.push_back(task_profile(platform, task));
  for (AppProfile& profile : profiles) platform.apps.push_back(std::move(profile));
}

}  // namespace flyball
