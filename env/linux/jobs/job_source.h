#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "env/platform.h"
#include "kernels/base/doorbell.h"

namespace flyball {

/// Where the jobs come from that run on a Linux machine: the governor's own pool, or other programs.
/// It keeps the roster and the ledger of jobs, and knows nothing of clocks and sensors; LinuxPlatform
/// knows nothing of jobs. All calls are the control thread's, and those of an epoch neither allocate
/// nor throw. Times are in ns since the run began, and never go back.
class JobSource {
 public:
  virtual ~JobSource() = default;

  /// The run begins at this moment, in monotonic time.
  virtual void begin(std::int64_t origin_ns) noexcept = 0;
  /// Rings when something has happened that could not be foreseen: a job has started, or is done.
  /// The control thread waits at it for the end of an epoch.
  virtual Doorbell& bell() noexcept = 0;
  /// What the action asks of applications holds for their next jobs.
  virtual void ask(const Action& action) noexcept = 0;
  /// Records of jobs that end go there, until the next call.
  virtual void report_to(Observation* out) noexcept = 0;
  /// When something is due next.
  virtual std::int64_t next_ns() const noexcept = 0;
  /// From the last call until `now_ns` the machine took `energy_mj`, at these clocks: that is shared
  /// out first. Then whatever happened and is due by now.
  virtual void run_until(std::int64_t now_ns, double energy_mj,
                         const std::array<std::int64_t, kMaxClusters>& clock_khz) noexcept = 0;
  /// Cores of a cluster that jobs keep busy at this moment.
  virtual double busy_cores(int cluster) const noexcept = 0;
  /// Whether a job ran there at any time within the epoch.
  virtual bool ran_on(int cluster) const noexcept = 0;
  /// Whether jobs may come at any moment: the machine is not left alone meanwhile.
  virtual bool expects_jobs() const noexcept = 0;
  /// Whether the epoch is to end now.
  virtual bool stops(const EpochRequest& request) const noexcept = 0;
  /// Nothing more will come.
  virtual bool over() const noexcept = 0;
  /// No job runs any more, though it should.
  virtual bool failed() const noexcept = 0;
  /// Fills in the applications, nothing else.
  virtual void observe(Observation& out) const noexcept = 0;
  /// The same, and the next epoch begins.
  virtual void close_epoch(Observation& out) noexcept = 0;
  /// No more releases.
  virtual void end() noexcept = 0;
  /// What the user prefers, where nobody sets it: 0 performance first, 1 battery first.
  virtual double energy_preference() const noexcept = 0;
  virtual const Binding& binding(int slot) const = 0;
  /// Linux's numbers of the threads that jobs run on.
  virtual std::vector<int> thread_ids() const { return {}; }
};

}  // namespace flyball
