#include "env/scenario/rtapp_scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "env/scenario/rtapp.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

struct RtAppThread {
  std::string name;
  const RtAppTask* task = nullptr;
  std::vector<RtAppJob> jobs;
  double mean_ns = 0;  ///< of a job
  double memory_share = 0;
  bool paces_itself = true;  ///< no other thread wakes it
};

std::int64_t length_ns(const RtAppJob& job) { return job.run_ns + job.runtime_ns; }

bool paces_itself(const RtAppTask& task) {
  using Kind = RtAppEvent::Kind;
  for (const RtAppPhase& phase : task.phases) {
    for (const RtAppEvent& event : phase.events) {
      if (event.kind == Kind::kSuspend || event.kind == Kind::kWait || event.kind == Kind::kLock)
        return false;
    }
  }
  return true;
}

/// Those that do any work.
std::vector<RtAppThread> threads_of(const RtAppFile& file) {
  std::vector<std::vector<RtAppJob>> jobs = play_rtapp(file);
  std::vector<RtAppThread> threads;
  std::size_t next = 0;
  for (const RtAppTask& task : file.tasks) {
    for (int i = 1; i <= task.instances; ++i) {
      RtAppThread thread{thread_name(task, i), &task, std::move(jobs[next++])};
      if (thread.jobs.empty()) continue;
      std::int64_t all_ns = 0, runtime_ns = 0;
      for (const RtAppJob& job : thread.jobs) {
        all_ns += length_ns(job);
        runtime_ns += job.runtime_ns;
      }
      thread.mean_ns = static_cast<double>(all_ns) / static_cast<double>(thread.jobs.size());
      thread.memory_share = static_cast<double>(runtime_ns) / static_cast<double>(all_ns);
      for (const RtAppJob& job : thread.jobs) {
        const double share =
            static_cast<double>(job.runtime_ns) / static_cast<double>(length_ns(job));
        if (std::abs(share - thread.memory_share) > 0.01) {
          input_error(task.where + ": key 'runtime'",
                      "its share of the thread's time changes from one wake-up to the next",
                      "use 'run', or the same mix in every phase");
        }
      }
      thread.paces_itself = paces_itself(task);
      threads.push_back(std::move(thread));
    }
  }
  if (threads.size() > kMaxApps) {
    input_error(file.tasks.front().where, fmt::format("{} threads do work", threads.size()),
                fmt::format("keep at most {}", kMaxApps));
  }
  return threads;
}

/// CPU clusters, the slowest first.
std::vector<std::size_t> clusters_by_speed(const PlatformSpec& platform) {
  std::vector<std::size_t> order;
  for (std::size_t c = 0; c < platform.clusters.size(); ++c)
    if (platform.clusters[c].kind == ClusterSpec::Kind::kCpu) order.push_back(c);
  const auto speed = [&](std::size_t c) {
    const ClusterSpec& cluster = platform.clusters[c];
    return cluster.capacity_per_mhz * static_cast<double>(cluster.opps.back().freq_khz);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return speed(a) < speed(b); });
  return order;
}

void bar_clusters(const RtAppTask& task, const PlatformSpec& platform, PlainTask& out) {
  if (task.cpus.empty()) return;
  int first = 0;
  bool any = false;
  for (const std::size_t c : clusters_by_speed(platform)) {
    const int end = first + platform.clusters[c].cores;
    out.barred[c] = std::none_of(task.cpus.begin(), task.cpus.end(),
                                 [&](int cpu) { return cpu >= first && cpu < end; });
    any = any || !out.barred[c];
    first = end;
  }
  if (!any) {
    input_error(task.where + ": key 'cpus'",
                fmt::format("'{}' has CPUs 0 to {} only", platform.name, first - 1),
                "name one of them");
  }
}

Arrival arrival_of(const RtAppThread& thread, std::int64_t duration_ns) {
  Arrival arrival;
  arrival.kind = Arrival::Kind::kListed;
  std::int64_t gap_ns = duration_ns - thread.jobs.back().release_ns;
  for (std::size_t j = 0; j < thread.jobs.size(); ++j) {
    const RtAppJob& job = thread.jobs[j];
    if (j + 1 < thread.jobs.size()) {
      gap_ns = thread.jobs[j + 1].release_ns - job.release_ns;
    } else if (j > 0) {  // the last: as the one before
      gap_ns = arrival.listed.back().deadline_ns;
    }
    arrival.listed.push_back({job.release_ns, std::max<std::int64_t>(1, gap_ns),
                              static_cast<double>(length_ns(job)) / thread.mean_ns});
  }
  return arrival;
}

}  // namespace

bool is_rtapp(const std::string& name_or_path) { return name_or_path.ends_with(".json"); }

std::vector<PlainTask> rtapp_tasks(const std::string& path, const PlatformSpec& platform) {
  const RtAppFile file = read_rtapp(path);
  std::vector<PlainTask> tasks;
  for (const RtAppThread& thread : threads_of(file)) {
    PlainTask& task = tasks.emplace_back();
    task.name = thread.name;
    task.work_ms = thread.mean_ns * 1e-6;
    task.memory_share = thread.memory_share;
    bar_clusters(*thread.task, platform, task);
  }
  return tasks;
}

Scenario load_rtapp(const std::string& path, const PlatformSpec& platform) {
  const RtAppFile file = read_rtapp(path);
  Scenario scenario;
  scenario.name = std::filesystem::path(path).stem().string();
  scenario.description = "rt-app's " + path;
  scenario.duration_ns = file.duration_ns;
  scenario.plain_load = true;
  scenario.warnings = file.notes;
  for (const RtAppThread& thread : threads_of(file)) {
    AppSpec app;
    app.name = thread.name;
    app.profile = platform.find_app(task_profile_name(thread.name));
    if (app.profile < 0) {
      input_error(thread.task->where, "it is a thread of plain load, which is simulated only",
                  "use 'flyball compare', or a scenario with applications");
    }
    app.arrival = arrival_of(thread, file.duration_ns);
    // Its own timer waits for a thread that is late; what others wake it for has to be done.
    app.queue_limit = thread.paces_itself ? 1 : kMaxQueue;
    app.stop_ns = file.duration_ns;
    scenario.apps.push_back(std::move(app));
  }
  if (scenario.apps.empty()) {
    input_error(path, "no thread does any work", "give one a 'run'");
  }
  return scenario;
}

}  // namespace flyball
