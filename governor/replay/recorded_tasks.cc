#include "governor/replay/recorded_tasks.h"

#include <algorithm>
#include <array>
#include <map>

#include "governor/record/recording.h"

namespace flyball {
namespace {

class TaskReader {
 public:
  explicit TaskReader(const PlatformSpec& platform) : platform_(platform) {}

  void on_bind(int slot, const Binding& binding) {
    const std::string kind = task_profile_name("");
    Task*& task = of_slot_[static_cast<std::size_t>(slot)];
    task = nullptr;
    if (binding.plain_load || !binding.profile.starts_with(kind)) return;
    const auto [found, is_new] = index_.try_emplace(binding.profile.substr(kind.size()));
    task = &found->second;
  }
  void on_unbind(int slot) { of_slot_[static_cast<std::size_t>(slot)] = nullptr; }

  void on_epoch(const Observation& now) {
    for (std::size_t s = 0; s < static_cast<std::size_t>(now.app_count); ++s) {
      Task* task = of_slot_[s];
      const Counters& counted = now.app[s].counters;
      if (task == nullptr || !counted.has(Counters::kCycles | Counters::kStalls)) continue;
      const int cluster = cluster_of(now.app[s].running.busy ? now.app[s].running.setting
                                                             : now.app[s].last_setting);
      if (cluster < 0 || cluster >= now.cluster_count) continue;
      const double mhz =
          static_cast<double>(now.cluster[static_cast<std::size_t>(cluster)].freq_khz) * 1e-3;
      if (!(mhz > 0)) continue;
      const double stalled = std::min(counted.stalled_cycles, counted.cycles);
      task->waited_us += stalled / mhz;
      task->top_us += (counted.cycles - stalled) * slower(cluster) / top_mhz();
    }
    for (const JobRecord& job : now.jobs()) {
      Task* task = job.app < kMaxApps ? of_slot_[job.app] : nullptr;
      if (task == nullptr || job.dropped || !(job.cycles > 0)) continue;
      const int cluster = cluster_of(job.setting);
      if (cluster < 0) continue;
      task->job_top_us += job.cycles * slower(cluster) / top_mhz();
      ++task->jobs;
    }
  }

  std::vector<PlainTask> tasks() const {
    std::vector<PlainTask> all;
    for (const auto& [name, read] : index_) {
      PlainTask& task = all.emplace_back();
      task.name = name;
      // What waited counts as many cycles as the clock had then, and waits as long at any clock.
      const double share =
          read.top_us + read.waited_us > 0 ? read.waited_us / (read.top_us + read.waited_us) : 0;
      task.memory_share = std::min(share, kMostMemory);
      task.work_ms = kLeastWorkMs;
      if (read.jobs == 0) continue;
      const double computed_us = read.top_us > 0 ? read.top_us : read.job_top_us;
      task.work_ms = std::max(
          kLeastWorkMs, 1e-3 * (computed_us + read.waited_us) / static_cast<double>(read.jobs));
    }
    return all;
  }

 private:
  static constexpr double kMostMemory = 0.95, kLeastWorkMs = 1e-3;

  struct Task {
    double waited_us = 0;   ///< for memory
    double top_us = 0;      ///< of the rest, on the fastest core at its highest clock
    double job_top_us = 0;  ///< the same by the cycles of its jobs, waiting included
    std::size_t jobs = 0;
  };

  const ClusterSpec& big() const {
    return platform_.clusters[static_cast<std::size_t>(platform_.big_cluster())];
  }
  double top_mhz() const { return static_cast<double>(big().opps.back().freq_khz) * 1e-3; }
  /// Cycles of the fastest core that do as much as one of this cluster's.
  double slower(int cluster) const {
    return platform_.clusters[static_cast<std::size_t>(cluster)].capacity_per_mhz /
           big().capacity_per_mhz;
  }
  /// That it ran on; a task is one thread.
  int cluster_of(const AppSetting& setting) const {
    if (setting.mapping >= platform_.mappings.size()) return -1;
    const Mapping& mapping = platform_.mappings[setting.mapping];
    for (std::size_t c = 0; c < platform_.clusters.size(); ++c)
      if (mapping.cores[c] > 0) return static_cast<int>(c);
    return -1;
  }

  const PlatformSpec& platform_;
  std::map<std::string, Task> index_;
  std::array<Task*, kMaxApps> of_slot_{};
};

}  // namespace

std::vector<PlainTask> recorded_tasks(const std::string& recording, const PlatformSpec& platform) {
  TaskReader reader(platform);
  RecordingVisitor visitor;
  visitor.on_bind = [&](int slot, const Binding& binding, const Observation&) {
    reader.on_bind(slot, binding);
  };
  visitor.on_unbind = [&](int slot) { reader.on_unbind(slot); };
  visitor.on_epoch = [&](const Observation& now, const DecisionRow&) { reader.on_epoch(now); };
  read_recording(recording, visitor);
  return reader.tasks();
}

void add_task_profiles(const std::vector<PlainTask>& tasks, PlatformSpec& platform) {
  for (const PlainTask& task : tasks)
    if (platform.find_app(task_profile_name(task.name)) < 0)
      platform.apps.push_back(task_profile(platform, task));
}

}  // namespace flyball
