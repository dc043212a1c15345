#pragma once

#include <array>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "env/ledger/arrivals.h"
#include "env/ledger/cpu_allocator.h"
#include "env/ledger/feasibility.h"
#include "env/spaces/binding.h"
#include "env/spaces/observation.h"

namespace flyball {

/// A job that was released.
struct LedgerJob {
  std::uint64_t sequence = 0;
  std::int64_t release_ns = 0;
  std::int64_t deadline_ns = 0;  ///< kNeverNs: none
  double work = 1;               ///< relative to the nominal job
  float accuracy_floor_pct = 0;
};

/// The jobs of one application: its streams, its queue, the job that runs, and what the epoch
/// counts.
struct LedgerApp {
  std::uint32_t generation = 0;  ///< odd while the slot is taken
  bool active = false;
  bool running = false;
  bool started = false;  ///< some job has been
  Requirements required;
  AppSetting setting;       ///< for the next job
  AppSetting last_setting;  ///< the last job started with
  ArrivalStream arrivals;
  WorkStream work;
  std::uint64_t next_sequence = 0;
  // The job that runs.
  LedgerJob job;
  AppSetting job_setting;
  CpuSet cpus;  ///< of it, or of the last one
  std::int64_t start_ns = 0;
  double job_mj = 0;
  double job_cycles = 0;
  // Within the epoch.
  std::uint32_t released = 0, finished = 0, dropped = 0, missed = 0;
  std::uint32_t below_floor = 0, over_budget = 0;
  double energy_mj = 0, over_budget_mj = 0, forgiven = 0;
  double accuracy_shortfall_pct = 0, accuracy_lost_pct = 0;
  std::int64_t latency_sum_ns = 0;
  // Of the last finished job.
  std::int64_t last_latency_ns = 0, last_execution_ns = 0;
  double last_cycles = 0;
  AppSetting last_finished;
  // The queue, a ring; not Boost's, whose memory lies elsewhere: this is copied as plain data.
  std::uint32_t head = 0, waiting = 0;
  std::array<LedgerJob, kMaxQueue> queue;

  std::uint32_t backlog() const { return waiting + (running ? 1 : 0); }
  const LedgerJob& waiting_job(std::uint32_t i) const { return queue[(head + i) % kMaxQueue]; }
};

/// The state of all jobs. Plain data, the applications last: a copy may stop after those in use.
struct LedgerState {
  int running = 0;            ///< jobs
  bool released_any = false;  ///< since whoever reads it cleared it
  bool finished_any = false;
  std::uint32_t roster_version = 0;
  std::int64_t roster_ns = 0;  ///< when an application comes or goes next
  double idle_mj = 0;          ///< of the epoch: the energy of nobody's job
  std::array<LedgerApp, kMaxApps> app;
};
static_assert(std::is_trivially_copyable_v<LedgerState>);

/// What the ledger needs to know of platform and scenario, and never changes.
struct LedgerModel {
  LedgerModel(const PlatformSpec& spec, const Scenario& scenario);
  LedgerModel(const LedgerModel&) = delete;  // `feasibility` refers to `segments`
  LedgerModel& operator=(const LedgerModel&) = delete;
  const PlatformSpec& spec;
  const Scenario& scenario;
  int apps;
  std::vector<BackgroundSegment> segments;
  Feasibility feasibility;
  std::array<const AppProfile*, kMaxApps> profile{};
  std::vector<Binding> bindings;  ///< per slot
  /// What a job of work 1 really is, relative to the model's: 1 in simulation.
  std::array<double, kMaxApps> scale{};
};

/// Releases, starts, finishes and drops jobs, judges them, and counts. All platforms keep their
/// jobs with it: one driven by events, one by a clock. It does not know how long a job takes; whoever
/// drives it does. Never allocates.
class JobLedger {
 public:
  /// Records go to `sink`; to nowhere when it is null.
  JobLedger(const LedgerModel& model, LedgerState& state, Observation* sink)
      : m_(model), s_(state), sink_(sink) {}

  void report_to(Observation* sink) { sink_ = sink; }
  /// The state at the beginning.
  void reset(std::uint64_t seed);
  /// Takes over what an action asks of the applications; what does not exist or cannot run the
  /// application stays as it was.
  void ask(const Action& action);
  /// When a job is released next, or an application comes or goes.
  std::int64_t next_ns() const {
    std::int64_t next = s_.roster_ns;
    for (int a = 0; a < m_.apps; ++a) next = std::min(next, s_.app[a].arrivals.next_ns());
    return next;
  }
  /// Applications that come or go by now.
  void turn_roster(std::int64_t now_ns);
  /// Releases the next job of an application; false when it was dropped.
  bool release(int app);
  /// The job that was released last leaves the queue again, as dropped.
  void drop_newest(int app);
  /// CPUs for the job that is about to begin: none that another job runs on while there are enough,
  /// and none that another application has had last while there are enough of these.
  CpuSet cpus_for(int app, const Mapping& mapping, const CpuAllocator& cpus) const;
  /// The oldest waiting job begins with `setting` on `cpus`.
  void start(int app, const AppSetting& setting, const CpuSet& cpus, std::int64_t now_ns);
  /// The running job was done at `at_ns`, which is known at `now_ns`: its record keeps the one, the
  /// roster turns at the other.
  void finish(int app, std::int64_t at_ns, std::int64_t now_ns);
  void finish(int app, std::int64_t now_ns) { finish(app, now_ns, now_ns); }
  /// Splits the platform's energy: among the jobs that run, in equal parts, or to nobody. The shares
  /// of all applications and `idle_mj` sum to what was charged.
  void charge(double energy_mj) {
    if (s_.running == 0) {
      s_.idle_mj += energy_mj;
      return;
    }
    const double each_mj = s_.running == 1 ? energy_mj : energy_mj / s_.running;
    for (int a = 0; a < m_.apps; ++a) {
      LedgerApp& app = s_.app[a];
      if (!app.running) continue;
      app.energy_mj += each_mj;
      app.job_mj += each_mj;
    }
  }
  /// Of the releases after the next; announced: the application says so as well.
  void set_period(int app, std::int64_t period_ns, bool announced = true);
  void set_required(int app, const Requirements& required) { s_.app[app].required = required; }

  /// Fills in what is known of the applications.
  static void observe(const LedgerModel& model, const LedgerState& state, Observation& out);
  void observe(Observation& out) const noexcept { observe(m_, s_, out); }
  void clear_epoch();

 private:
  void drop(int app, const LedgerJob& job);
  bool infeasible(int app, const LedgerJob& job) const;

  const LedgerModel& m_;
  LedgerState& s_;
  Observation* sink_;
};

}  // namespace flyball
