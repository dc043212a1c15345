#include "env/emulated/executor.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <limits>
#include <system_error>
#include <thread>

#include "env/ledger/cpu_allocator.h"
#include "env/ledger/pool_rank.h"
#include "env/linux/counter_figures.h"
#include "env/model/network_levels.h"
#include "kernels/base/clock.h"
#include "kernels/base/error.h"
#include "kernels/base/quiet_thread.h"
#include "kernels/base/thread_error.h"

namespace flyball {
namespace {

constexpr std::int64_t kIdleWaitNs =
    60'000'000'000;  // the bell rings before; any long time would do
constexpr std::int64_t kHurryNs = 10'000'000;

constexpr std::int64_t kStretchNs = 10'000'000;  // of a measurement; jobs take about as long

std::size_t total_queue(const Scenario& scenario) {
  std::size_t jobs = 0;
  for (const AppSpec& app : scenario.apps) jobs += static_cast<std::size_t>(app.queue_limit);
  return jobs;
}

bool before(const ReadyJob& a, const ReadyJob& b) {
  return pool_rank(a.deadline_ns, a.priority, a.release_ns) <
         pool_rank(b.deadline_ns, b.priority, b.release_ns);
}

}  // namespace

int whole_inferences(double job_ns, std::int64_t inference_ns) {
  return static_cast<int>(
      std::clamp(std::round(job_ns / static_cast<double>(inference_ns)), 1.0, 1e6));
}

ReadyJob newest_job(LedgerApp& app, int index, double inferences) {
  constexpr double kMost = 1e9;  // a work that varies widely has no upper end
  LedgerJob& job = app.queue[(app.head + app.waiting - 1) % kMaxQueue];
  ReadyJob queued;
  queued.release_ns = job.release_ns;
  queued.deadline_ns = job.deadline_ns;
  queued.inferences = static_cast<int>(std::clamp(std::round(inferences * job.work), 1.0, kMost));
  queued.priority = app.required.priority;
  queued.app = static_cast<std::uint8_t>(index);
  job.work = static_cast<double>(queued.inferences) / inferences;
  return queued;
}

double speed_ratio(const PlatformSpec& spec, const Mapping& mapping, const LiveKnobs& knobs) {
  double sum = 0;
  int cores = 0;
  for (std::size_t c = 0; c < spec.clusters.size(); ++c) {
    const auto& opps = spec.clusters[c].opps;
    const std::size_t opp = knobs.opp[c].load(std::memory_order_acquire);
    sum += mapping.cores[c] * opps[opp].delivered_khz() / opps.back().delivered_khz();
    cores += mapping.cores[c];
  }
  return cores > 0 ? sum / cores : 1;
}

// Every job has two events, and no more jobs are in flight than the queues admit: with this
// capacity the events always fit.
Executor::Executor(const PlatformSpec& spec, const Scenario& scenario, JobEngine& engine,
                   const LiveKnobs& knobs, Doorbell& listener)
    : spec_(spec),
      scenario_(scenario),
      engine_(engine),
      knobs_(knobs),
      listener_(listener),
      events_(4 * (total_queue(scenario) + scenario.apps.size() + 1)) {
  for (const AppSpec& app : scenario.apps) {
    queues_.push_back(std::make_unique<boost::lockfree::spsc_queue<ReadyJob>>(
        2 * static_cast<std::size_t>(app.queue_limit)));
  }
}

Executor::~Executor() { stop(); }

std::int64_t Executor::start(bool with_measurement) {
  try {
    thread_ = quiet_thread([this, with_measurement] { body(with_measurement); });
  } catch (const std::system_error& error) {
    no_thread("the emulated platform's executor", error);
  }
  for (;;) {
    const std::uint32_t seen = ready_bell_.mark();
    if (ready_.load(std::memory_order_acquire)) break;
    ready_bell_.wait(seen, monotonic_ns() + kIdleWaitNs);
  }
  if (failure_reason() != nullptr) {
    failure("the emulated platform cannot measure an inference", failure_reason(),
            "give the time of one (EmulatedOptions::inference_ns) or repair the engine");
  }
  return measured_ns_;
}

void Executor::body(bool with_measurement) {
  const auto ready = [this] {
    ready_.store(true, std::memory_order_release);
    ready_bell_.ring();
  };
  try {
    if (with_measurement) measured_ns_ = measure();
    thread_ids_ = engine_.thread_ids();
    thread_ids_.push_back(gettid());
    if (counter_factory_) counters_ = counter_factory_(thread_ids_);
    ready();
    loop();
  } catch (const std::exception& error) {
    fail(error.what());
  } catch (...) {
    fail("unknown exception");
  }
  try {
    engine_.release_thread();
  } catch (...) {  // nothing runs after it that could be told
  }
  ended_.store(true, std::memory_order_release);
  ready();
}

void Executor::close() {
  stop_.store(true, std::memory_order_release);
  engine_.cut_short(true);
  bell_.ring();
}

void Executor::stop() {
  if (!thread_.joinable()) return;
  close();
  // An inference at a low OPP would hold up the end. More than once: a job that is about to begin sets its
  // own speed.
  for (;;) {
    const std::uint32_t seen = ready_bell_.mark();
    if (ended_.load(std::memory_order_acquire)) break;
    engine_.set_speed_ratio(1);
    ready_bell_.wait(seen, monotonic_ns() + kHurryNs);
  }
  thread_.join();
  engine_.cut_short(false);  // it may have another platform's jobs to run
}

bool Executor::submit(const ReadyJob& job) {
  if (!queues_[job.app]->push(job)) return false;
  bell_.ring();
  return true;
}

std::int64_t Executor::measure() {
  JobEngine::Setting setting;
  setting.cpus.add(std::max(0, knobs_.cpus.load().nth(0)));
  setting.active = 1;
  if (!scenario_.apps.empty()) {
    const AppProfile& app = spec_.apps[static_cast<std::size_t>(scenario_.apps[0].profile)];
    setting.width = network_level(app, app.level_count() - 1).width;
  }
  setting.speed_ratio = 1;
  // As jobs are run: in stretches, with pauses between, in which a core grows cold; a core that
  // never pauses was seen to be a quarter faster. The lower quartile: half the samples may be
  // disturbed by another program, and the fastest ones may have had luck that jobs do not have.
  engine_.run(setting, 1);
  const std::int64_t one_ns = std::max<std::int64_t>(1, engine_.run(setting, 1));
  const int batch = static_cast<int>(std::clamp<std::int64_t>(kStretchNs / one_ns, 1, 10'000));
  std::array<std::int64_t, 16> sample_ns;
  for (std::int64_t& sample : sample_ns) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(kStretchNs));
    sample = engine_.run(setting, batch);
  }
  const auto quartile = sample_ns.begin() + sample_ns.size() / 4;
  std::nth_element(sample_ns.begin(), quartile, sample_ns.end());
  return std::max<std::int64_t>(1, *quartile / batch);
}

void Executor::loop() {
  while (!stop_.load(std::memory_order_acquire)) {
    const std::uint32_t seen = bell_.mark();
    const int app = choose();
    if (app < 0) {
      if (!stop_.load(std::memory_order_acquire)) bell_.wait(seen, monotonic_ns() + kIdleWaitNs);
      continue;
    }
    ReadyJob job;
    queues_[static_cast<std::size_t>(app)]->pop(job);
    run(job);
  }
}

int Executor::choose() const {
  int best = -1;
  const ReadyJob* first = nullptr;
  for (std::size_t a = 0; a < queues_.size(); ++a) {
    if (queues_[a]->read_available() == 0) continue;
    const ReadyJob& job = queues_[a]->front();
    if (first == nullptr || before(job, *first)) {
      first = &job;
      best = static_cast<int>(a);
    }
  }
  return best;
}

void Executor::run(const ReadyJob& job) {
  JobEvent event;
  event.app = job.app;
  event.setting = knobs_.app(job.app);
  const Mapping& mapping = spec_.mappings[event.setting.mapping];
  event.speed_ratio = speed_ratio(spec_, mapping, knobs_);

  JobEngine::Setting setting;
  // One job runs at a time; the caches of the others' CPUs are left to them. Who has gone keeps
  // those until somebody needs them.
  CpuSet others;
  for (std::size_t a = 0; a < queues_.size(); ++a) {
    if (a != job.app) others = others | last_cpus_[a];
  }
  const CpuSet available = knobs_.cpus.load();
  const CpuSet cpus = (clusters_.empty() ? CpuAllocator(spec_, available)
                                         : CpuAllocator(spec_, available, clusters_))
                          .allocate(mapping, {}, others);
  setting.active = std::clamp(cpus.count(), 1, engine_.max_active());
  for (int i = 0; i < setting.active && i < cpus.count(); ++i) setting.cpus.add(cpus.nth(i));
  const AppProfile& app = spec_.apps[static_cast<std::size_t>(scenario_.apps[job.app].profile)];
  const NetworkLevel level = network_level(app, event.setting.level);
  setting.width = level.width;
  setting.int8 = level.int8;
  setting.speed_ratio = event.speed_ratio;
  event.cpus = last_cpus_[job.app] = setting.cpus;

  event.kind = JobEvent::Kind::kStarted;
  event.at_ns = monotonic_ns();
  events_.push(event);
  listener_.ring();
  read_counters(nullptr);
  engine_.run(setting, job.inferences);
  event.kind = JobEvent::Kind::kFinished;
  event.at_ns = monotonic_ns();
  read_counters(&event);
  events_.push(event);
  listener_.ring();
  if (!engine_.problem().empty() && !has_problem_.load(std::memory_order_relaxed)) {
    std::snprintf(problem_.data(), problem_.size(), "%s", engine_.problem().c_str());
    has_problem_.store(true, std::memory_order_release);
  }
}

/// What was counted since the last call; of interest when a job has run meanwhile.
void Executor::read_counters(JobEvent* event) {
  if (counters_ == nullptr) return;
  CounterSample sample;
  counters_->read(sample);
  if (event == nullptr) return;
  take_counts(sample, event->counters);
}

void Executor::fail(const char* reason) {
  std::snprintf(reason_.data(), reason_.size(), "%s", reason);
  failed_.store(true, std::memory_order_release);
  listener_.ring();
}

}  // namespace flyball
