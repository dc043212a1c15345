#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "env/emulated/executor.h"
#include "env/ledger/job_ledger.h"
#include "env/ledger/script.h"
#include "env/linux/jobs/job_source.h"
#include "kernels/base/suspend.h"

namespace flyball {

struct PoolJobsOptions {
  std::uint64_t seed = 1;
  /// Time of one inference at full width on one core of the fastest cluster; 0: measure it first.
  std::int64_t inference_ns = 0;
  CounterFactory counters{};  ///< read before and after each job; null: there are none
};

/// The applications of a scenario as real jobs in the pinned pool of a JobEngine, on the CPUs of a
/// Linux machine's clusters and at the clocks that those really have. As on the emulated platform
/// (same executor, same ledger, same arrivals), but for what makes it emulated: no duty cycle, no
/// modelled clock, and of the scenario only applications, what changes of them, and the preference. Its other
/// load, heat and battery are not played, for the machine's own are real.
///
/// The control thread releases jobs while it waits for the end of an epoch, so a release that falls
/// into a decision is late by what is left of that; its record keeps the true times.
class PoolJobs final : public JobSource, private ScriptWorld {
 public:
  /// `cpus`: of each cluster of `spec`. All references outlive it. Throws Error (kFailure) when no
  /// thread can be started, or the engine fails while it is measured.
  PoolJobs(const PlatformSpec& spec, const std::vector<CpuSet>& cpus, const Scenario& scenario,
           JobEngine& engine, const PoolJobsOptions& options = {});
  ~PoolJobs() override;

  void begin(std::int64_t origin_ns) noexcept override;
  Doorbell& bell() noexcept override { return bell_; }
  void ask(const Action& action) noexcept override;
  void report_to(Observation* out) noexcept override { records_ = out; }
  std::int64_t next_ns() const noexcept override;
  void run_until(std::int64_t now_ns, double energy_mj,
                 const std::array<std::int64_t, kMaxClusters>& clock_khz) noexcept override;
  double busy_cores(int cluster) const noexcept override;
  bool ran_on(int cluster) const noexcept override { return (served_ >> cluster & 1) != 0; }
  bool expects_jobs() const noexcept override;
  bool stops(const EpochRequest& request) const noexcept override;
  bool over() const noexcept override { return ended_; }
  bool failed() const noexcept override { return executor_.failure_reason() != nullptr; }
  void observe(Observation& out) const noexcept override;
  void close_epoch(Observation& out) noexcept override;
  void end() noexcept override;
  double energy_preference() const noexcept override { return script_.energy_preference; }
  const Binding& binding(int slot) const override {
    return model_.bindings[static_cast<std::size_t>(slot)];
  }

  std::vector<int> thread_ids() const override { return executor_.thread_ids(); }

  std::int64_t inference_ns() const { return inference_ns_; }
  int inferences_per_job(int app) const { return inferences_[static_cast<std::size_t>(app)]; }
  std::string counters() const;
  /// What did not go as asked, one line each. Allocates.
  std::vector<std::string> notes() const;

 private:
  static constexpr std::int64_t kLookAtCpusNs = 1'000'000'000;

  JobLedger ledger() noexcept { return JobLedger(model_, jobs_, records_); }
  void pass(std::int64_t to_ns, double mj_per_ns,
            const std::array<std::int64_t, kMaxClusters>& clock_khz) noexcept;
  void due(std::int64_t now_ns) noexcept;
  void set_background(int) override {}
  void set_ambient(double) override {}
  void set_battery(double) override {}
  void release(int app) noexcept;
  void on_event(const JobEvent& event) noexcept;
  void count_job(const JobEvent& event) noexcept;
  void watch_cpus(std::int64_t now_ns) noexcept;

  const PlatformSpec& spec_;
  const Scenario& scenario_;
  LedgerModel model_;
  LedgerState jobs_;
  LiveKnobs knobs_;
  Doorbell bell_;
  Executor executor_;
  Observation* records_ = nullptr;
  std::array<int, kMaxApps> inferences_{};
  std::int64_t inference_ns_ = 0, origin_ns_ = 0, now_ns_ = 0, looked_ns_ = 0, late_ns_ = 0;
  const std::int64_t suspended_before_ns_ = suspended_ns();
  std::array<CounterSum, kMaxApps> counted_{};  ///< of the jobs that finished within the epoch
  unsigned served_ = 0;  ///< clusters where a job ran within the epoch, as bits
  bool lost_counters_ = false;  ///< some of the epoch's
  int busy_app_ = -1;
  ScriptState script_;
  bool ended_ = false;
};

}  // namespace flyball
