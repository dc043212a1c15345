#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "env/emulated/executor.h"
#include "env/emulated/power_meter.h"
#include "env/ledger/job_ledger.h"
#include "env/ledger/knob_ledger.h"
#include "env/ledger/script.h"
#include "env/platform.h"
#include "env/scenario/scenario.h"

namespace flyball {

/// What the emulated machine asks of the world.
class MachinePort {
 public:
  virtual ~MachinePort() = default;
  virtual bool submit(const ReadyJob& job) = 0;    ///< false: no room
  virtual void set_speed_ratio(double ratio) = 0;  ///< of the job that runs
  virtual double start_background(int load) = 0;   ///< how many cores it keeps busy
  virtual void stop_background(int load) = 0;
};

/// The bookkeeping of the emulated platform: releases jobs, turns knobs when their latency is over,
/// follows the scenario, accounts for jobs and energy. It has no clock and no thread: whoever
/// drives it tells the time, in ns since the start of the run, never going back. Allocates when it
/// is made only.
///
/// Everything that is due is done in order of time, and power is integrated up to each such moment
/// before it takes effect. A job's start or finish becomes known a little after it happened; it
/// takes effect then at the latest moment already integrated, while its record keeps the true
/// times.
class EmulatedMachine final : private ScriptWorld {
 public:
  /// `inferences[a]`: what one nominal job of application a consists of, each of `inference_ns` at
  /// full width on one core.
  EmulatedMachine(const PlatformSpec& spec, const Scenario& scenario, std::uint64_t seed,
                  const std::array<int, kMaxApps>& inferences, std::int64_t inference_ns,
                  LiveKnobs& knobs, MachinePort& port);

  /// Knobs turned at `at_ns`. A frequency beyond the table is its last; a mapping or level that
  /// does not exist or cannot run the application leaves the one before.
  void request(const Action& action, std::int64_t at_ns);
  /// A job started or finished.
  void on_event(const JobEvent& event, std::int64_t at_ns);
  /// Does what is due until `now_ns`.
  void run_until(std::int64_t now_ns);
  /// When something is due next; never later than the end of the scenario.
  std::int64_t next_ns() const;
  /// No more releases and no more background load, from now on.
  void end();
  bool ended() const { return ended_; }

  bool released_in_epoch() const { return jobs_.released_any; }
  bool finished_in_epoch() const { return jobs_.finished_any; }
  /// Ends the epoch at the time of the last call and starts the next.
  void close_epoch(Observation& out);
  /// The state before anything has run.
  void observe(Observation& out) const noexcept { out = first_; }
  const Binding& binding(int slot) const { return model_.bindings[static_cast<std::size_t>(slot)]; }

  /// To be told the true time before anything else: remembers by how much the releases now due are
  /// late.
  void watch_lateness(std::int64_t now_ns);
  std::int64_t worst_lateness_ns() const { return worst_lateness_ns_; }

 private:
  /// A job that is about to begin may overwrite a speed ratio set at that moment: it is set once
  /// more, this much later.
  static constexpr std::int64_t kAssertAgainNs = 1'000'000;

  struct Background {
    bool running = false;
    double cores = 0;
  };

  JobLedger ledger() { return JobLedger(model_, jobs_, &epoch_); }
  void advance(std::int64_t now_ns);
  void due(std::int64_t now_ns);
  void set_background(int segment) override;
  void set_ambient(double ambient_c) override { meter_.set_ambient(ambient_c); }
  void set_battery(double left_mj) override;
  void release(int app);
  void started(const JobEvent& event, std::int64_t at_ns);
  void finished(const JobEvent& event, std::int64_t at_ns);
  void take_counters(const JobEvent& event);
  void settle_knobs(std::int64_t now_ns);
  void set_running_speed();
  void count_cycles();
  void fill(Observation& out);

  const PlatformSpec& spec_;
  const Scenario& scenario_;
  LedgerModel model_;
  LedgerState jobs_;
  KnobLedger turned_;
  LiveKnobs& knobs_;
  MachinePort& port_;
  PowerMeter meter_;
  std::array<int, kMaxApps> inferences_;
  int busy_app_ = -1;            ///< whose job runs in the pool
  std::int64_t counted_ns_ = 0;  ///< cycles are, up to here
  std::int64_t next_poll_ns_ = 0;
  std::int64_t assert_ratio_ns_ = kNeverNs;
  // Of the jobs that finished in the epoch.
  std::array<CounterSum, kMaxApps> app_counted_{};
  std::array<CounterSum, kMaxClusters> cluster_counted_{};
  bool lost_counters_ = false;
  std::vector<Background> background_;
  ScriptState script_;
  double battery_mj_ = 0;  ///< charge when the platform had used battery_from_mj_
  double battery_from_mj_ = 0;
  std::uint64_t epochs_ = 0;
  bool ended_ = false;
  std::int64_t worst_lateness_ns_ = 0;
  Observation epoch_;  ///< its records only
  Observation first_;
};

}  // namespace flyball
