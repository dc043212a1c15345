#include "env/emulated/emulated_platform.h"

#include <fmt/format.h>
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <system_error>
#include <thread>

#include "env/emulated/background_threads.h"
#include "env/emulated/executor.h"
#include "env/emulated/lateness.h"
#include "env/emulated/machine.h"
#include "env/ledger/settings.h"
#include "env/linux/perf_counter_source.h"
#include "env/model/model.h"
#include "kernels/base/clock.h"
#include "kernels/base/doorbell.h"
#include "kernels/base/error.h"
#include "kernels/base/latest.h"
#include "kernels/base/quiet_thread.h"
#include "kernels/base/suspend.h"
#include "kernels/base/thread_error.h"

namespace flyball {
namespace {

constexpr std::int64_t kFarNs = 3'600'000'000'000;  // 1 h: longer than anything that is waited for
constexpr std::int64_t kReapNs =
    2'000'000;  // background threads that were stopped have ended by then

std::size_t at(int index) { return static_cast<std::size_t>(index); }

/// Those that the calling thread may run on; the first one where the Linux kernel does not say.
CpuSet available_cpus() {
  const CpuSet cpus = thread_affinity();
  return cpus.empty() ? CpuSet{0} : cpus;
}

void check(const PlatformSpec& spec, const Scenario& scenario) {
  for (const ClusterSpec& cluster : spec.clusters) {
    if (cluster.kind == ClusterSpec::Kind::kCpu) continue;
    input_error(fmt::format("platform '{}', cluster '{}'", spec.name, cluster.name),
                "the emulated platform plays CPU clusters only", "simulate this platform instead");
  }
  for (const AppSpec& app : scenario.apps) {
    const AppProfile& profile = spec.apps[at(app.profile)];
    if (!profile.plain_load) continue;
    input_error(fmt::format("scenario '{}', application '{}'", scenario.name, app.name),
                fmt::format("'{}' is a plain load, which has no jobs", profile.name),
                "list it under background instead");
  }
}

}  // namespace

/// The machine thread's state, and what the control thread shares with it.
struct EmulatedPlatform::Parts final : MachinePort {
  Parts(const PlatformSpec& spec, const Scenario& scenario, JobEngine& engine,
        const EmulatedOptions& options);
  ~Parts() override;

  bool submit(const ReadyJob& job) override { return executor.submit(job); }
  void set_speed_ratio(double ratio) override { engine.set_speed_ratio(ratio); }
  double start_background(int load) override { return background.start(load, knobs.cpus.load()); }
  void stop_background(int load) override { background.stop(load); }

  void start_clock();
  /// What may fail in it, a thread of background load, is counted there.
  void machine_loop() noexcept;
  std::int64_t machine_turn();
  void check_whether_over();
  void answer(Status status);
  void watch_cpus();

  const PlatformSpec& spec;
  const Scenario& scenario;
  JobEngine& engine;
  LiveKnobs knobs;
  Doorbell machine_bell;
  Doorbell control_bell;
  Executor executor;
  BackgroundThreads background;
  std::array<int, kMaxApps> inferences{};
  std::int64_t inference_ns = 0;
  std::unique_ptr<EmulatedMachine> machine;
  Observation first;

  // From the control thread to the machine thread.
  struct TimedAction {
    Action action;
    std::int64_t at_ns = 0;
  };
  Latest<TimedAction> actions;
  EpochRequest epoch;          ///< guarded by `asked`
  std::int64_t origin_ns = 0;  ///< guarded by `started`
  std::atomic<bool> started{false};
  std::atomic<bool> interrupted{false};
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> asked{0};
  // And back.
  std::atomic<std::uint64_t> answered{0};
  Observation reply;                  ///< guarded by `answered`
  Status reply_status = Status::kOk;  ///< guarded by `answered`

  // The control thread's own.
  Action last_action;
  std::uint32_t last_roster = 0;
  Observation shown;  ///< the last one that was given out
  bool applied_any = false;
  bool unseen = false;  ///< the last action is not in `shown`
  // The machine thread's own.
  TimedAction pending;  ///< is not in force yet
  bool any_pending = false;
  std::int64_t epoch_start_ns = 0;
  Status over = Status::kOk;  ///< other than kOk: the run has ended, and how
  // For notes().
  std::atomic<int> cpus_at_start{0};
  std::atomic<int> cpus_fewest{0};
  std::atomic<int> background_refused{0};
  std::atomic<std::int64_t> worst_lateness_ns{0};
  const std::int64_t suspended_before_ns = suspended_ns();

  std::thread thread;
};

EmulatedPlatform::Parts::Parts(const PlatformSpec& spec_in, const Scenario& scenario_in,
                               JobEngine& engine_in, const EmulatedOptions& options)
    : spec(spec_in),
      scenario(scenario_in),
      engine(engine_in),
      executor(spec_in, scenario_in, engine_in, knobs, machine_bell),
      background(spec_in, scenario_in) {
  check(spec, scenario);
  knobs.cpus.store(available_cpus());
  cpus_at_start = cpus_fewest = knobs.cpus.load().count();
  executor.count_with(options.counters);
  const std::int64_t measured = executor.start(options.inference_ns <= 0);
  inference_ns = options.inference_ns > 0 ? options.inference_ns : measured;
  for (std::size_t a = 0; a < scenario.apps.size(); ++a) {
    const double job_ns = reference_time_ns(spec, spec.apps[at(scenario.apps[a].profile)]);
    inferences[a] = whole_inferences(job_ns, inference_ns);
  }
  machine = std::make_unique<EmulatedMachine>(spec, scenario, options.seed, inferences,
                                              inference_ns, knobs, *this);
  machine->observe(first);
  shown = first;
  try {
    thread = quiet_thread([this] { machine_loop(); });
  } catch (const std::system_error& error) {
    no_thread("the emulated platform's machine", error);
  }
}

EmulatedPlatform::Parts::~Parts() {
  // The machine thread first: it sets speeds and starts background load; then the executor, at full
  // speed.
  stop.store(true, std::memory_order_release);
  machine_bell.ring();
  if (thread.joinable()) thread.join();
  background.stop_all();
  executor.stop();
}

void EmulatedPlatform::Parts::start_clock() {
  if (started.load(std::memory_order_relaxed)) return;
  origin_ns = monotonic_ns();
  started.store(true, std::memory_order_release);
  machine_bell.ring();
}

void EmulatedPlatform::Parts::machine_loop() noexcept {
  // The default slack of 50 us would make every release late by as much.
  prctl(PR_SET_TIMERSLACK, 1000UL);
  while (!stop.load(std::memory_order_acquire)) {
    const std::uint32_t seen = machine_bell.mark();
    std::int64_t until = monotonic_ns() + kFarNs;
    if (started.load(std::memory_order_acquire)) until = std::min(until, machine_turn());
    if (!stop.load(std::memory_order_acquire)) machine_bell.wait(seen, until);
  }
}

// Does what is due and says when to look again, in absolute monotonic time.
std::int64_t EmulatedPlatform::Parts::machine_turn() {
  constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  machine->watch_lateness(monotonic_ns() - origin_ns);
  // Read first: the action that begins an epoch comes before the question for its end.
  const bool awaited =
      asked.load(std::memory_order_acquire) != answered.load(std::memory_order_relaxed);
  if (const TimedAction* turned = actions.fetch()) {
    pending = *turned;
    any_pending = true;
  }
  if (any_pending && pending.at_ns <= monotonic_ns() - origin_ns) {
    machine->request(pending.action, pending.at_ns);
    any_pending = false;
  }
  while (const JobEvent* event = executor.event()) {
    machine->on_event(*event, event->at_ns - origin_ns);
    executor.pop_event();
  }
  const std::int64_t now = monotonic_ns() - origin_ns;
  machine->run_until(now);
  background.reap();
  worst_lateness_ns.store(machine->worst_lateness_ns(), std::memory_order_relaxed);
  background_refused.store(background.refused(), std::memory_order_relaxed);
  check_whether_over();

  std::int64_t epoch_end = any_pending ? pending.at_ns : kNever;
  if (awaited && (!any_pending || over != Status::kOk)) {
    if (epoch.interval_ns < kNever - epoch_start_ns) epoch_end = epoch_start_ns + epoch.interval_ns;
    const bool stop = (epoch.stop_at_release && machine->released_in_epoch()) ||
                      (epoch.stop_at_finish && machine->finished_in_epoch());
    if (over != Status::kOk || now >= epoch_end || stop) {
      answer(over);
      epoch_end = kNever;
    }
  }
  const std::int64_t next = std::min({epoch_end, machine->next_ns(), now + kFarNs});
  return origin_ns + (background.ending() ? std::min(next, now + kReapNs) : next);
}

void EmulatedPlatform::Parts::check_whether_over() {
  if (over != Status::kOk) return;
  if (executor.failure_reason() != nullptr) over = Status::kDeviceLost;
  if (interrupted.load(std::memory_order_acquire)) over = Status::kInterrupted;
  if (machine->ended()) over = Status::kFinished;
  if (over == Status::kOk) return;
  machine->end();
  executor.close();
}

void EmulatedPlatform::Parts::answer(Status status) {
  watch_cpus();
  machine->close_epoch(reply);
  epoch_start_ns = reply.now_ns;
  reply_status = status;
  answered.store(asked.load(std::memory_order_relaxed), std::memory_order_release);
  control_bell.ring();
}

// CPUs may go offline or be taken by a control group. The machine thread is not pinned: its own
// mask tells. Jobs started from now on use what is left.
void EmulatedPlatform::Parts::watch_cpus() {
  const CpuSet cpus = available_cpus();
  if (cpus == knobs.cpus.load()) return;
  knobs.cpus.store(cpus);
  cpus_fewest = std::min(cpus_fewest.load(), cpus.count());
}

EmulatedPlatform::EmulatedPlatform(const PlatformSpec& spec, const Scenario& scenario,
                                   JobEngine& engine, const EmulatedOptions& options)
    : parts_(std::make_unique<Parts>(spec, scenario, engine, options)) {}

EmulatedPlatform::~EmulatedPlatform() = default;

const Binding& EmulatedPlatform::binding(int slot) const { return parts_->machine->binding(slot); }
void EmulatedPlatform::observe(Observation& out) const noexcept { out = parts_->first; }

std::vector<KnobSetting> EmulatedPlatform::capture() const {
  return settings_of(parts_->spec, *this, parts_->shown);
}

std::vector<KnobOutcome> EmulatedPlatform::restore(const std::vector<KnobSetting>& settings) {
  // What was decided and is not seen in force yet, will be: the rest of it must not be lost.
  const Action action = parts_->unseen ? parts_->last_action : action_asked(parts_->shown);
  return restore_knobs(parts_->spec, *this, parts_->shown, action, settings);
}

Status EmulatedPlatform::apply(const Action& action) noexcept {
  Parts& parts = *parts_;
  if (parts.executor.failure_reason() != nullptr) return Status::kDeviceLost;
  // Who has come since has not been asked.
  const bool same_roster = parts.applied_any && parts.last_roster == parts.shown.roster_version;
  if (same_roster && action == parts.last_action) return Status::kOk;
  parts.last_roster = parts.shown.roster_version;
  parts.last_action = action;
  parts.applied_any = parts.unseen = true;
  if (parts.started.load(std::memory_order_relaxed)) {
    parts.actions.put({action, monotonic_ns() - parts.origin_ns});
    parts.machine_bell.ring();
  } else {
    // The clock stood while this was decided, and the first job is released as soon as it starts.
    parts.actions.put({action, std::llround(parts.spec.decision_latency_us * 1e3)});
    parts.start_clock();
  }
  return Status::kOk;
}

Status EmulatedPlatform::advance(const EpochRequest& request, Observation& out) noexcept {
  Parts& parts = *parts_;
  parts.start_clock();
  parts.epoch = request;
  const std::uint64_t ticket = parts.asked.load(std::memory_order_relaxed) + 1;
  parts.asked.store(ticket, std::memory_order_release);
  parts.machine_bell.ring();
  // The machine thread answers at the epoch's end by itself; the limit only bounds each wait.
  while (parts.answered.load(std::memory_order_acquire) != ticket) {
    const std::uint32_t seen = parts.control_bell.mark();
    if (parts.answered.load(std::memory_order_acquire) == ticket) break;
    parts.control_bell.wait(seen, monotonic_ns() + 1'000'000'000);
  }
  out = parts.reply;
  parts.shown = parts.reply;
  parts.unseen = false;
  return parts.reply_status;
}

void EmulatedPlatform::interrupt() {
  parts_->interrupted.store(true, std::memory_order_release);
  parts_->machine_bell.ring();
}

int EmulatedPlatform::inferences_per_job(int app) const { return parts_->inferences[at(app)]; }
std::int64_t EmulatedPlatform::inference_ns() const { return parts_->inference_ns; }

std::string EmulatedPlatform::counters() const {
  const CounterSource* source = parts_->executor.counters();
  return source == nullptr ? std::string() : source->describe();
}

std::unique_ptr<CounterSource> thread_counters(const std::vector<int>& thread_ids) {
  return std::unique_ptr<CounterSource>(
      new PerfCounterSource(PerfCounterSource::of_threads(thread_ids)));
}

bool EmulatedPlatform::ran_late() const { return parts_->worst_lateness_ns > kLateReleaseNs; }

std::vector<std::string> EmulatedPlatform::notes() const {
  const Parts& parts = *parts_;
  std::vector<std::string> notes;
  int cores = 0;
  for (const ClusterSpec& cluster : parts.spec.clusters) cores += cluster.cores;
  if (parts.cpus_at_start < cores) {
    notes.push_back(fmt::format(
        "the platform has {} cores, this process only {} CPUs: jobs ran on fewer cores than mapped",
        cores, parts.cpus_at_start.load()));
  }
  if (parts.cpus_fewest < parts.cpus_at_start) {
    notes.push_back(fmt::format("CPUs went away during the run: {} of {} were left",
                                parts.cpus_fewest.load(), parts.cpus_at_start.load()));
  }
  if (parts.background_refused > 0) {
    notes.push_back(
        fmt::format("{} threads of background load were not started: no more than one per CPU, and "
                    "the system's limit",
                    parts.background_refused.load()));
  }
  if (parts.background.unpinned() > 0) {
    notes.push_back(fmt::format("{} threads of background load could not be pinned to their CPU",
                                parts.background.unpinned()));
  }
  if (ran_late()) {
    notes.push_back(
        lateness_note(parts.worst_lateness_ns, suspended_ns() - parts.suspended_before_ns));
  }
  if (const char* problem = parts.executor.problem()) {
    notes.push_back(fmt::format("some jobs did not run where they were mapped: {}", problem));
  }
  if (const char* reason = parts.executor.failure_reason()) {
    notes.push_back(fmt::format("the engine failed, no job ran after that: {}", reason));
  }
  return notes;
}

}  // namespace flyball
