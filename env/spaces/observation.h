#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "env/spaces/action.h"
#include "env/spaces/counters.h"
#include "env/spaces/job.h"
#include "env/spaces/limits.h"
#include "env/spaces/requirements.h"
#include "env/spaces/sensed.h"
#include "kernels/base/cpu_set.h"

namespace flyball {

struct ClusterObservation {
  std::int64_t freq_khz = 0;   ///< that the clock really has, at the end of the epoch
  std::int64_t asked_khz = 0;  ///< by the last action
  double capacity = 0;  ///< of one core at `freq_khz` (env/model/capacity.h)
  double util_max = 0;   ///< busy share of the busiest core over the epoch, 0 to 1
  double util_mean = 0;  ///< over all cores of the cluster
  double power_mw = 0;   ///< mean over the epoch
  double temp_c = 0;     ///< hottest node of the cluster, at the end of the epoch
  Counters counters;     ///< over the epoch, all cores of the cluster together
  std::uint8_t opp = 0;
  std::uint8_t asked_opp = 0;
  std::uint8_t opp_cap = 0;   ///< highest OPP that the thermal governor allows now
  std::int16_t error = 0;     ///< errno of the last attempt to set the clock; 0: none
  Sensed sensed;
};

/// A job that was released and has not started.
struct WaitingJob {
  std::uint64_t sequence = 0;
  std::int64_t release_ns = 0;
  std::int64_t deadline_ns = 0;  ///< absolute
};

/// The job that runs: where, since when, with what setting.
struct RunningJobObservation {
  bool busy = false;
  std::uint64_t sequence = 0;
  std::int64_t release_ns = 0;
  std::int64_t start_ns = 0;
  std::int64_t deadline_ns = 0;  ///< absolute
  AppSetting setting;
  CpuSet cpus;  ///< that serve it
};

/// One slot of the roster.
struct AppObservation {
  std::uint32_t generation = 0;  ///< counts who has had the slot; odd while somebody has it
  bool active = false;           ///< releases may come
  Requirements required;
  AppSetting setting;          ///< in force for the next job
  std::uint32_t released = 0;  ///< jobs released within the epoch
  std::uint32_t finished = 0;
  std::uint32_t dropped = 0;
  std::uint32_t missed = 0;   ///< of the finished and the dropped
  std::uint32_t backlog = 0;  ///< released, not finished, at the end of the epoch
  double energy_mj = 0;       ///< its share of the platform's energy within the epoch
  double accuracy_shortfall_pct = 0;  ///< below the floor, summed over the finished jobs
  double over_budget_mj = 0;          ///< above its energy budget, summed over the finished jobs
  // Of the finished and the dropped: a job that never ran has missed everything that was asked.
  std::uint32_t below_floor = 0;  ///< jobs less accurate than asked
  std::uint32_t over_budget = 0;  ///< jobs that took more energy than allowed
  double forgiven = 0;            ///< of `missed`: less than a whole miss, since there is grace
  double accuracy_lost_pct = 0;   ///< below the most accurate level, summed
  std::int64_t latency_sum_ns = 0;
  /// Of its own monitors: the weights of those that were not as desired, summed over the finished jobs.
  double undesired = 0;
  Counters counters;                  ///< over the epoch
  // Of the last finished job; kept from earlier epochs when none finished in this one.
  std::int64_t last_latency_ns = 0;
  std::int64_t last_execution_ns = 0;
  double last_cycles = 0;
  AppSetting last_setting;
  RunningJobObservation running;
  std::uint32_t waiting_count = 0;
  std::array<WaitingJob, kMaxQueue> waiting{};  ///< oldest first

  bool bound() const { return generation % 2 == 1; }
  std::int64_t oldest_release_ns() const {
    return running.busy ? running.release_ns : waiting_count > 0 ? waiting[0].release_ns : 0;
  }
  /// Of the i-th job of the backlog, oldest first.
  std::int64_t release_ns(std::uint32_t i) const {
    if (running.busy) return i == 0 ? running.release_ns : waiting[i - 1].release_ns;
    return waiting[i].release_ns;
  }
  std::int64_t deadline_ns(std::uint32_t i) const {
    if (running.busy) return i == 0 ? running.deadline_ns : waiting[i - 1].deadline_ns;
    return waiting[i].deadline_ns;
  }
};

/// Everything an agent is told at the end of an epoch. Plain data of fixed size (kMaxApps slots are
/// 54 KB); a copy takes what is in use only, 1.2 KB with one application and two clusters. The
/// monitor table (monitors.h) names its numbers.
struct Observation {
  std::uint64_t sequence = 0;      ///< counts epochs
  std::int64_t now_ns = 0;         ///< monotonic, from the start of the run
  std::int64_t epoch_ns = 0;       ///< how long the epoch lasted
  double energy_mj = 0;            ///< of the whole platform, within the epoch
  double power_mw = 0;             ///< mean of the whole platform over the epoch
  double battery_pct = 100;        ///< charge left; 100 without a battery
  double energy_preference = 0.5;  ///< the user's: 0 performance first, 1 battery first
  /// Mean power of the whole platform at which the battery lasts until it has to; 0: no matter.
  double sustainable_mw = 0;
  int cluster_count = 0;
  int app_count = 0;          ///< slots in use: all bound ones are below
  std::uint32_t roster_version = 0;  ///< changes with every bind and unbind
  bool sensors_ok = true;     ///< false when a reading was lost that decisions need
  Sensed sensed;              ///< of the whole platform
  std::uint32_t held = 0;     ///< how many readings, here and below, are held over (count_held)
  std::uint32_t jobs_unlisted = 0;  ///< more ended than `job_store` holds; counted in `app` all the same
  std::uint32_t job_count = 0;
  std::array<ClusterObservation, kMaxClusters> cluster{};
  std::array<JobRecord, kMaxEpochJobs> job_store{};  ///< finished or dropped within the epoch
  std::array<AppObservation, kMaxApps> app{};

  Observation() = default;
  Observation(const Observation& other) { *this = other; }
  Observation& operator=(const Observation& other) {
    if (this == &other) return *this;
    std::memcpy(static_cast<void*>(this), &other, offsetof_cluster());
    std::copy_n(other.cluster.begin(), other.cluster_count, cluster.begin());
    std::copy_n(other.job_store.begin(), other.job_count, job_store.begin());
    std::copy_n(other.app.begin(), other.app_count, app.begin());
    return *this;
  }

  /// Counts what is marked in `sensed` and in the counters of clusters and applications.
  void count_held() {
    held = static_cast<std::uint32_t>(std::popcount(sensed.held));
    for (int c = 0; c < cluster_count; ++c) {
      const ClusterObservation& one = cluster[static_cast<std::size_t>(c)];
      held += static_cast<std::uint32_t>(std::popcount(one.sensed.held) +
                                         std::popcount(one.counters.held));
    }
    for (int a = 0; a < app_count; ++a)
      held += static_cast<std::uint32_t>(
          std::popcount(app[static_cast<std::size_t>(a)].counters.held));
  }
  std::span<const JobRecord> jobs() const { return {job_store.data(), job_count}; }
  void clear_jobs() { job_count = 0; jobs_unlisted = 0; }
  void add_job(const JobRecord& job) {
    if (JobRecord* slot = new_job()) *slot = job;
  }
  /// Room for one more, to fill in where it stands: a fresh record; nullptr when there is none.
  JobRecord* new_job() {
    if (job_count == job_store.size()) {
      ++jobs_unlisted;
      return nullptr;
    }
    JobRecord* slot = &job_store[job_count++];
    *slot = JobRecord{};
    return slot;
  }

 private:
  std::size_t offsetof_cluster() const {
    return static_cast<std::size_t>(reinterpret_cast<const char*>(&cluster) -
                                    reinterpret_cast<const char*>(this));
  }
};

}  // namespace flyball
