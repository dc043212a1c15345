#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "env/emulated/executor.h"
#include "env/emulated/power_meter.h"
#include "kernels/base/spsc_ring.h"
#include "env/platform.h"
#include "env/scenario/scenario.h"
#include "env/sim/arrivals.h"

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
class EmulatedMachine {
 public:
  /// `inferences[a]`: what one nominal job of application a consists of, each of `inference_ns` at
  /// full width on one core.
  EmulatedMachine(const PlatformSpec& spec, const Scenario& scenario, std::uint64_t seed,
                  const std::array<int, kMaxApps>& inferences, std::int64_t inference_ns,
                  LiveKnobs& knobs, MachinePort& port);

  /// Knobs turned at `at_ns`. A frequency beyond the table is its last; a mapping or width that
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

  bool released_in_epoch() const;
  bool finished_in_epoch() const;
  /// Ends the epoch at the time of the last call and starts the next.
  void close_epoch(Observation& out);
  /// The state before anything has run.
  void observe(Observation& out) const { out = first_; }

  /// To be told the true time before anything else: remembers by how much the releases now due are
  /// late.
  void watch_lateness(std::int64_t now_ns);
  std::int64_t worst_lateness_ns() const { return worst_lateness_ns_; }

 private:
  /// A job that is about to begin may overwrite a speed ratio set at that moment: it is set once
  /// more, this much later.
  static constexpr std::int64_t kAssertAgainNs = 1'000'000;

  struct Outstanding {
    std::uint64_t sequence = 0;
    std::int64_t release_ns = 0;
    std::int64_t deadline_ns = kNeverNs;
    float accuracy_floor_pct = 0;
    bool infeasible = false;
  };
  struct App {
    App(const AppSpec& spec, int index, std::uint64_t seed);
    ArrivalStream arrivals;
    WorkStream work;
    SpscRing<Outstanding> outstanding;  ///< released and not finished, oldest first
    std::uint64_t released = 0;
    std::array<double, kMaxLevels>
        fastest_ns{};  ///< of one inference, per width, by the model's best mapping
  };
  struct Running {
    bool busy = false;
    std::uint8_t app = 0;
    AppSetting setting;
    std::int64_t start_ns = 0;
    double energy_mj = 0;  ///< of the platform when it started
    double cycles = 0;     ///< until counted_ns
    std::int64_t counted_ns = 0;
  };
  struct Background {
    bool running = false;
    bool over = false;
    double cores = 0;
  };
  struct PendingOpp {
    int opp = 0;
    std::int64_t at_ns = 0;  ///< kNeverNs: none is pending
  };

  void due(std::int64_t now_ns);
  void follow_scenario(const ScenarioEvent& event);
  void switch_background(std::int64_t now_ns);
  void release(int app);
  void drop(int app, const Outstanding& job);
  void started(const JobEvent& event, std::int64_t at_ns);
  void finished(std::int64_t at_ns);
  void aim_at_opps(std::int64_t now_ns);
  void set_opp(int cluster, int opp);
  void count_cycles();
  bool infeasible(int app, int inferences) const;
  void describe(Observation& out) const;

  const PlatformSpec& spec_;
  const Scenario& scenario_;
  LiveKnobs& knobs_;
  MachinePort& port_;
  PowerMeter meter_;
  std::array<int, kMaxApps> inferences_;
  std::vector<std::unique_ptr<App>> apps_;
  Running running_;
  Action wanted_;
  std::array<PendingOpp, kMaxClusters> pending_;
  std::int64_t next_poll_ns_ = 0;
  std::int64_t assert_ratio_ns_ = 0;
  std::vector<Background> background_;
  std::size_t next_event_ = 0;
  double battery_mj_ = 0;  ///< charge when the platform had used battery_from_mj_
  double battery_from_mj_ = 0;
  bool ended_ = false;
  std::int64_t worst_lateness_ns_ = 0;
  Observation epoch_;
  Observation first_;
};

}  // namespace flyball
