#include "agents/run_queues.h"

#include <algorithm>

#include "env/model/capacity.h"
#include "env/model/model.h"

namespace flyball {
namespace {

/// Less than this of a CPU is noise of the measurement, and nobody's load.
constexpr double kNoise = 0.02;
/// From this busy share on a CPU has not idled.
constexpr double kAlways = 0.999;

}  // namespace

RunQueues::RunQueues(const PlatformSpec& platform) : platform_(platform) {
  for (int c = 0; c < static_cast<int>(platform.clusters.size()); ++c) {
    const ClusterSpec& cluster = platform.clusters[static_cast<std::size_t>(c)];
    if (cluster.kind != ClusterSpec::Kind::kCpu) continue;
    capacity_[static_cast<std::size_t>(c)] =
        core_capacity(platform, c, static_cast<double>(cluster.opps.back().freq_khz));
    others_[static_cast<std::size_t>(c)].resize(static_cast<std::size_t>(cluster.cores));
    for (int i = 0; i < cluster.cores; ++i) cpu_.push_back({.cluster = c});
  }
  busy_ns_.resize(cpu_.size());
  ran_ns_.resize(cpu_.size());
}

void RunQueues::bind(int app, const AppProfile& profile, int threads) {
  if (app >= app_count()) app_.resize(static_cast<std::size_t>(app) + 1);
  App& to = app_[static_cast<std::size_t>(app)];
  to = App{};
  to.profile = &profile;
  to.tasks.resize(static_cast<std::size_t>(threads));
  // post_init_entity_util_avg(): a new task counts as half of what a CPU has to spare.
  for (Task& task : to.tasks) task.util.set(512);
}

void RunQueues::unbind(int app) { app_[static_cast<std::size_t>(app)] = App{}; }

double RunQueues::other_util(int cpu) const {
  const Cpu& at = cpu_[static_cast<std::size_t>(cpu)];
  if (at.other < 0) return 0;
  return others_[static_cast<std::size_t>(at.cluster)][static_cast<std::size_t>(at.other)]
      .util.util();
}

double RunQueues::other_share(int cpu) const {
  const Cpu& at = cpu_[static_cast<std::size_t>(cpu)];
  if (at.other < 0) return 0;
  return others_[static_cast<std::size_t>(at.cluster)][static_cast<std::size_t>(at.other)].share;
}

double RunQueues::cpu_util(int cpu) const {
  // A queue's signal is the sum of those of the tasks that ran there last, asleep or not.
  double util = other_util(cpu), estimate = other_util(cpu);
  for (const App& app : app_) {
    if (!app.started || !app.active) continue;
    for (const Task& task : app.tasks) {
      if (task.cpu != cpu) continue;
      util += task.util.util();
      if (task.runnable) estimate += task.est.value();
    }
  }
  return std::min(std::max(util, estimate), capacity(cpu_[static_cast<std::size_t>(cpu)].cluster));
}

double RunQueues::cluster_util(int cluster) const {
  double most = 0;
  for (int i = 0; i < cpu_count(); ++i) {
    if (cpu(i).cluster == cluster) most = std::max(most, cpu_util(i));
  }
  return most;
}

bool RunQueues::overutilised() const {
  for (int i = 0; i < cpu_count(); ++i) {
    if (!fits(cpu_util(i), capacity(cpu(i).cluster))) return true;
  }
  return false;
}

void RunQueues::observe(const Observation& now) {
  demand_.fill(0);
  std::fill(ran_ns_.begin(), ran_ns_.end(), 0.0);
  for (int c = 0; c < now.cluster_count; ++c) {
    const ClusterSpec& spec = platform_.clusters[static_cast<std::size_t>(c)];
    scale_[static_cast<std::size_t>(c)] =
        static_cast<double>(now.cluster[static_cast<std::size_t>(c)].freq_khz) /
        static_cast<double>(spec.opps.back().freq_khz) * capacity(c) / 1024;
  }
  const int apps = std::min(app_count(), now.app_count);
  for (int a = 0; a < apps; ++a) {
    App& app = app_[static_cast<std::size_t>(a)];
    if (app.profile == nullptr) continue;
    app.active = now.app[static_cast<std::size_t>(a)].active ||
                 now.app[static_cast<std::size_t>(a)].backlog > 0;
    if (now.app[static_cast<std::size_t>(a)].released > 0) app.released_ns = now.now_ns;
    app.activity.read(now, a);
    add_demand(a, now);
  }
  for (int c = 0; c < now.cluster_count; ++c) {
    const double busy = now.cluster[static_cast<std::size_t>(c)].util_mean *
                        platform_.clusters[static_cast<std::size_t>(c)].cores;
    double& granted = granted_[static_cast<std::size_t>(c)];
    granted = 1;
    const double wanted = demand_[static_cast<std::size_t>(c)];
    if (wanted > busy + kNoise) granted = busy / wanted;
  }
  for (int a = 0; a < apps; ++a) {
    if (app_[static_cast<std::size_t>(a)].profile != nullptr) advance_tasks(a, now);
  }
  observe_others(now);
  place_others();
  add_busy(now.epoch_ns);
}

void RunQueues::add_busy(std::int64_t epoch_ns) {
  const auto whole_ns = static_cast<double>(epoch_ns);
  for (int i = 0; i < cpu_count(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    busy_ns_[at] += std::min(whole_ns, ran_ns_[at] + other_share(i) * whole_ns);
  }
}

double RunQueues::helper_share(int app, const JobStretch& stretch, const Observation& now) const {
  const std::size_t tasks = app_[static_cast<std::size_t>(app)].tasks.size();
  if (tasks < 2) return 0;
  OppChoice opp{};
  for (int c = 0; c < now.cluster_count; ++c)
    opp[static_cast<std::size_t>(c)] = now.cluster[static_cast<std::size_t>(c)].opp;
  double busy = 0;
  for (const JobLoad& load :
       job_load(platform_, *app_[static_cast<std::size_t>(app)].profile,
                platform_.mappings[stretch.setting.mapping], stretch.setting.level, opp))
    busy += load.busy_cores;
  return std::clamp((busy - 1) / static_cast<double>(tasks - 1), 0.0, 1.0);
}

void RunQueues::add_demand(int a, const Observation& now) {
  App& app = app_[static_cast<std::size_t>(a)];
  if (now.epoch_ns <= 0) return;
  for (int i = 0; i < app.activity.count(); ++i) {
    const JobStretch& stretch = app.activity.stretch(i);
    if (stretch.begins || !app.started) settle(app, stretch.setting.mapping);
    const double length =
        static_cast<double>(stretch.end_ns - stretch.begin_ns) / static_cast<double>(now.epoch_ns);
    const double helpers = helper_share(a, stretch, now);
    for (const Task& task : app.tasks) {
      if (task.cpu < 0) continue;
      demand_[static_cast<std::size_t>(cpu(task.cpu).cluster)] +=
          length * (&task == app.tasks.data() ? 1 : helpers);
    }
  }
}

void RunQueues::advance_tasks(int a, const Observation& now) {
  App& app = app_[static_cast<std::size_t>(a)];
  if (!app.started) return;
  std::int64_t at_ns = now.now_ns - now.epoch_ns;
  for (int i = 0; i < app.activity.count(); ++i) {
    const JobStretch& stretch = app.activity.stretch(i);
    const double helpers = helper_share(a, stretch, now);
    for (Task& task : app.tasks) {
      task.util.sleep(stretch.begin_ns - at_ns);
      const auto cluster = static_cast<std::size_t>(task.cpu < 0 ? 0 : cpu(task.cpu).cluster);
      const std::int64_t ns = stretch.end_ns - stretch.begin_ns;
      const double share = (&task == app.tasks.data() ? 1 : helpers) * granted_[cluster];
      if (task.cpu >= 0)
        ran_ns_[static_cast<std::size_t>(task.cpu)] += share * static_cast<double>(ns);
      if (task.cpu < 0)
        task.util.sleep(ns);
      else if (&task == app.tasks.data() || helpers > kAlways)
        task.util.run(ns, granted_[cluster], scale_[cluster]);
      else
        task.util.run_in_parts(ns, helpers * granted_[cluster], scale_[cluster]);
      if (stretch.sleeps_after) task.est.sleep(task.util.util(), capacity_[cluster]);
    }
    at_ns = stretch.end_ns;
  }
  for (Task& task : app.tasks) {
    task.util.sleep(now.now_ns - at_ns);
    task.runnable = app.activity.runs();
  }
}

void RunQueues::observe_others(const Observation& now) {
  if (now.epoch_ns <= 0) {  // a run begins
    for (auto& of_cluster : others_)
      for (Other& other : of_cluster) other.share = 0;
    return;
  }
  for (std::size_t c = 0; c < static_cast<std::size_t>(now.cluster_count); ++c) {
    const ClusterObservation& seen = now.cluster[c];
    double left = seen.util_mean * platform_.clusters[c].cores - demand_[c] * granted_[c];
    // No CPU of the cluster is busier than `util_max`.
    const double most = std::clamp(seen.util_max, seen.util_mean, 1.0);
    for (Other& other : others_[c]) {
      other.share = left > kNoise ? std::min(left, most) : 0;
      left -= other.share;
      if (other.share > kAlways)
        other.util.run(now.epoch_ns, 1, scale_[c]);
      else
        other.util.run_in_parts(now.epoch_ns, other.share, scale_[c]);
    }
  }
}

int RunQueues::tasks_on(int cpu) const {
  int tasks = 0;
  for (const App& app : app_) {
    if (!app.active) continue;
    for (const Task& task : app.tasks) tasks += task.cpu == cpu;
  }
  return tasks;
}

void RunQueues::place_others() {
  for (Cpu& cpu : cpu_) cpu.other = -1;
  for (int c = 0; c < static_cast<int>(platform_.clusters.size()); ++c) {
    const auto& others = others_[static_cast<std::size_t>(c)];
    for (int k = 0; k < static_cast<int>(others.size()); ++k) {
      int best = -1, fewest = 0;
      for (int i = cpu_count() - 1; i >= 0; --i) {
        if (cpu(i).cluster != c || cpu(i).other >= 0) continue;
        const int tasks = tasks_on(i);
        if (best < 0 || tasks < fewest) best = i, fewest = tasks;
      }
      cpu_[static_cast<std::size_t>(best)].other = k;
    }
  }
}

bool RunQueues::matches(const App& app, const Mapping& mapping, int Task::*where) const {
  std::array<std::uint8_t, kMaxClusters> cores{};
  for (int i = 0; i < cpu_count(); ++i) {
    const bool used = std::any_of(app.tasks.begin(), app.tasks.end(),
                                  [&](const Task& task) { return task.*where == i; });
    if (used) ++cores[static_cast<std::size_t>(cpu(i).cluster)];
  }
  return cores == mapping.cores;
}

void RunQueues::settle(App& app, int mapping) {
  const Mapping& wanted = platform_.mappings[static_cast<std::size_t>(mapping)];
  app.started = true;
  if (app.wakes_with == mapping && matches(app, wanted, &Task::wake_on)) {
    for (Task& task : app.tasks) task.cpu = task.wake_on;
  } else if (!matches(app, wanted, &Task::cpu)) {
    spread(app, wanted);
  }
}

void RunQueues::spread(App& app, const Mapping& mapping) {
  std::array<std::uint8_t, kMaxClusters> left = mapping.cores;
  const auto used = [&](int i) {
    return std::count_if(app.tasks.begin(), app.tasks.end(),
                         [&](const Task& task) { return task.cpu == i; });
  };
  // Who is on a CPU of the mapping already stays there.
  for (Task& task : app.tasks) {
    const int at = task.cpu;
    task.cpu = -1;
    if (at < 0 || used(at) > 0) continue;
    std::uint8_t& room = left[static_cast<std::size_t>(cpu(at).cluster)];
    if (room == 0) continue;
    task.cpu = at;
    --room;
  }
  for (Task& task : app.tasks) {
    if (task.cpu >= 0) continue;
    int best = -1;
    for (int i = 0; i < cpu_count(); ++i) {
      const auto cluster = static_cast<std::size_t>(cpu(i).cluster);
      if (mapping.cores[cluster] == 0) continue;
      if (used(i) == 0 && left[cluster] == 0) continue;
      if (best < 0 || tasks_on(i) < tasks_on(best)) best = i;
    }
    if (best < 0) return;  // a mapping of the GPU: its jobs take no CPU
    if (used(best) == 0) --left[static_cast<std::size_t>(cpu(best).cluster)];
    task.cpu = best;
  }
}

}  // namespace flyball
