#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "env/spaces/action.h"
#include "env/spaces/job.h"
#include "env/spaces/limits.h"
#include "env/spaces/requirements.h"

namespace flyball {

struct ClusterObservation {
  std::int64_t freq_khz = 0;
  double util_max = 0;    ///< busy share of the busiest core over the epoch, 0 to 1
  double util_mean = 0;   ///< over all cores of the cluster
  double power_mw = 0;    ///< mean over the epoch
  double temp_c = 0;      ///< hottest node of the cluster, at the end of the epoch
  std::uint8_t opp = 0;
  std::uint8_t opp_cap = 0;  ///< highest OPP that the thermal governor allows now
};

struct AppObservation {
  bool active = false;             ///< between its start and stop
  Requirements required;
  AppSetting setting;              ///< in force for the next job
  std::uint32_t released = 0;      ///< jobs released within the epoch
  std::uint32_t finished = 0;
  std::uint32_t missed = 0;        ///< of the finished and the dropped
  std::uint32_t backlog = 0;       ///< released, not finished, at the end of the epoch
  std::int64_t oldest_release_ns = 0;   ///< release of the oldest job of the backlog
  // Of the last finished job; kept from earlier epochs when none finished in this one.
  std::int64_t last_latency_ns = 0;
  std::int64_t last_execution_ns = 0;
  double last_cycles = 0;
  AppSetting last_setting;
};

/// Everything an agent is told at the end of an epoch. Plain data of fixed size: copying it never
/// allocates. The monitors of `Spaces` name its numbers, their units and desired ranges.
struct Observation {
  std::uint64_t sequence = 0;      ///< counts epochs
  std::int64_t now_ns = 0;         ///< monotonic, from the start of the run
  std::int64_t epoch_ns = 0;       ///< how long the epoch lasted
  double energy_mj = 0;            ///< of the whole platform, within the epoch
  double power_mw = 0;             ///< mean of the whole platform over the epoch
  double battery_pct = 100;        ///< charge left; 100 without a battery
  double energy_preference = 0.5;  ///< the user's: 0 performance first, 1 battery first
  int cluster_count = 0;
  int app_count = 0;
  bool sensors_ok = true;          ///< false when a reading was held over from before
  std::array<ClusterObservation, kMaxClusters> cluster{};
  std::array<AppObservation, kMaxApps> app{};

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
  std::array<JobRecord, kMaxEpochJobs> job_store{};  ///< finished or dropped within the epoch
  std::size_t job_count = 0;
  std::uint32_t jobs_unlisted = 0;  ///< more finished than `job_store` holds; counted in `app` all the same
};

}  // namespace flyball
