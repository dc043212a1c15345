#include "env/linux/jobs/pool_jobs.h"

#include <fmt/format.h>

#include <algorithm>

#include "env/emulated/lateness.h"
#include "env/model/model.h"
#include "kernels/base/clock.h"

namespace flyball {
namespace {

std::size_t place(int index) { return static_cast<std::size_t>(index); }

CpuSet cpus_now() {
  const CpuSet cpus = thread_affinity();
  return cpus.empty() ? CpuSet{0} : cpus;
}

}  // namespace

PoolJobs::PoolJobs(const PlatformSpec& spec, const std::vector<CpuSet>& cpus,
                   const Scenario& scenario, JobEngine& engine, const PoolJobsOptions& options)
    : spec_(spec),
      scenario_(scenario),
      model_(spec, scenario),
      executor_(spec, scenario, engine, knobs_, bell_) {
  // The clock is the real one: no duty cycle.
  for (std::size_t c = 0; c < spec.clusters.size(); ++c)
    knobs_.opp[c].store(static_cast<std::uint8_t>(spec.clusters[c].max_opp()));
  const CpuSet available = cpus_now();
  const CpuSet fastest = cpus[place(spec.big_cluster())] & available;
  knobs_.cpus.store(fastest.empty() ? available : fastest);  // that an inference is measured on
  executor_.place_on(cpus);
  executor_.count_with(options.counters);
  const std::int64_t measured_ns = executor_.start(options.inference_ns <= 0);
  inference_ns_ = options.inference_ns > 0 ? options.inference_ns : measured_ns;
  knobs_.cpus.store(available);
  for (int a = 0; a < model_.apps; ++a) {
    const double job_ns = reference_time_ns(spec, *model_.profile[place(a)]);
    inferences_[place(a)] = whole_inferences(job_ns, inference_ns_);
    model_.scale[place(a)] = inferences_[place(a)] * static_cast<double>(inference_ns_) / job_ns;
  }
  ledger().reset(options.seed);
  script_ = begin_script(model_);
  for (int a = 0; a < model_.apps; ++a) knobs_.set_app(a, jobs_.app[place(a)].setting);
}

PoolJobs::~PoolJobs() { executor_.stop(); }

void PoolJobs::begin(std::int64_t origin_ns) noexcept { origin_ns_ = origin_ns; }

void PoolJobs::ask(const Action& action) noexcept {
  ledger().ask(action);
  for (int a = 0; a < model_.apps; ++a) knobs_.set_app(a, jobs_.app[place(a)].setting);
}

std::int64_t PoolJobs::next_ns() const noexcept {
  if (ended_) return kNeverNs;
  std::int64_t next = std::min({scenario_.duration_ns, jobs_.roster_ns, script_.next_ns});
  for (int a = 0; a < model_.apps; ++a)
    next = std::min(next, jobs_.app[place(a)].arrivals.next_ns());
  return next;
}

void PoolJobs::run_until(std::int64_t now_ns, double energy_mj,
                         const std::array<std::int64_t, kMaxClusters>& clock_khz) noexcept {
  for (int a = 0; a < model_.apps && !ended_; ++a)
    late_ns_ = std::max(late_ns_, now_ns - jobs_.app[place(a)].arrivals.next_ns());
  // Spread evenly over the stretch, in which jobs began and ended: a loop that was kept from running
  // finds whole ones in it.
  const double mj_per_ns =
      now_ns > now_ns_ ? energy_mj / static_cast<double>(now_ns - now_ns_) : 0;
  if (now_ns <= now_ns_) ledger().charge(energy_mj);
  while (const JobEvent* event = executor_.event()) {
    const std::int64_t at_ns = event->at_ns - origin_ns_;
    // What is due before it happened first, so that it finds the roster and the queue of then.
    due(at_ns - 1);
    pass(std::min(at_ns, now_ns), mj_per_ns, clock_khz);
    on_event(*event);
    executor_.pop_event();
  }
  due(now_ns);
  pass(now_ns, mj_per_ns, clock_khz);
  watch_cpus(now_ns);
}

/// Up to `to_ns` nothing began or ended.
void PoolJobs::pass(std::int64_t to_ns, double mj_per_ns,
                    const std::array<std::int64_t, kMaxClusters>& clock_khz) noexcept {
  if (to_ns <= now_ns_) return;
  const double ns = static_cast<double>(to_ns - now_ns_);
  now_ns_ = to_ns;
  ledger().charge(mj_per_ns * ns);
  if (busy_app_ < 0) return;
  LedgerApp& app = jobs_.app[place(busy_app_)];
  std::int64_t khz = 0;
  for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
    if (spec_.mappings[app.job_setting.mapping].cores[c] > 0) khz = std::max(khz, clock_khz[c]);
  }
  app.job_cycles += static_cast<double>(khz) * 1e-6 * ns;
}

void PoolJobs::due(std::int64_t now_ns) noexcept {
  while (!ended_ && next_ns() <= now_ns) {
    const std::int64_t moment = next_ns();
    if (moment >= scenario_.duration_ns) {
      end();
      return;
    }
    JobLedger told = ledger();
    play_script(model_, moment, script_, told, *this);
    if (jobs_.roster_ns <= moment) ledger().turn_roster(moment);
    for (int a = 0; a < model_.apps; ++a) {
      while (jobs_.app[place(a)].arrivals.next_ns() <= moment) release(a);
    }
  }
}

void PoolJobs::release(int a) noexcept {
  if (!ledger().release(a)) return;
  const ReadyJob job = newest_job(jobs_.app[place(a)], a, inferences_[place(a)]);
  if (!executor_.submit(job)) ledger().drop_newest(a);
}

void PoolJobs::on_event(const JobEvent& event) noexcept {
  const std::int64_t at_ns = event.at_ns - origin_ns_;
  if (event.kind == JobEvent::Kind::kStarted) {
    if (ended_) return;
    ledger().start(event.app, event.setting, event.cpus, at_ns);
    busy_app_ = event.app;
    served_ |= cluster_mask(spec_.mappings[event.setting.mapping]);
    return;
  }
  if (busy_app_ < 0 || ended_) return;
  count_job(event);
  ledger().finish(busy_app_, at_ns, std::max(at_ns, now_ns_));
  busy_app_ = -1;
}

/// Cycles that were counted are better than those reckoned from the clock.
void PoolJobs::count_job(const JobEvent& event) noexcept {
  lost_counters_ = lost_counters_ || event.counters.held != 0;
  counted_[place(busy_app_)].add(event.counters);
}

double PoolJobs::busy_cores(int cluster) const noexcept {
  if (busy_app_ < 0) return 0;
  const AppSetting& setting = jobs_.app[place(busy_app_)].job_setting;
  return spec_.mappings[setting.mapping].cores[place(cluster)];
}

bool PoolJobs::expects_jobs() const noexcept {
  if (ended_) return false;
  for (int a = 0; a < model_.apps; ++a) {
    if (jobs_.app[place(a)].generation % 2 == 1) return true;
  }
  return false;
}

bool PoolJobs::stops(const EpochRequest& request) const noexcept {
  return (request.stop_at_release && jobs_.released_any) ||
         (request.stop_at_finish && jobs_.finished_any);
}

void PoolJobs::observe(Observation& out) const noexcept {
  JobLedger::observe(model_, jobs_, out);
  for (int a = 0; a < model_.apps; ++a) out.app[place(a)].counters = counted_[place(a)].counters();
}

void PoolJobs::close_epoch(Observation& out) noexcept {
  observe(out);
  out.sensors_ok = out.sensors_ok && !lost_counters_;
  ledger().clear_epoch();
  counted_ = {};
  lost_counters_ = false;
  served_ = busy_app_ < 0
                ? 0
                : cluster_mask(spec_.mappings[jobs_.app[place(busy_app_)].job_setting.mapping]);
  jobs_.released_any = jobs_.finished_any = false;
}

void PoolJobs::end() noexcept {
  if (ended_) return;
  ended_ = true;
  executor_.close();
}

/// CPUs may go offline or be taken by a control group; jobs started from then on use what is left.
void PoolJobs::watch_cpus(std::int64_t now_ns) noexcept {
  if (now_ns - looked_ns_ < kLookAtCpusNs) return;
  looked_ns_ = now_ns;
  const CpuSet cpus = cpus_now();
  if (!(cpus == knobs_.cpus.load())) knobs_.cpus.store(cpus);
}

std::string PoolJobs::counters() const {
  const CounterSource* source = executor_.counters();
  return source == nullptr ? std::string() : source->describe();
}

std::vector<std::string> PoolJobs::notes() const {
  std::vector<std::string> notes;
  if (late_ns_ > kLateReleaseNs)
    notes.push_back(lateness_note(late_ns_, suspended_ns() - suspended_before_ns_));
  if (const char* problem = executor_.problem())
    notes.push_back(fmt::format("some jobs did not run where they were mapped: {}", problem));
  if (const char* reason = executor_.failure_reason())
    notes.push_back(fmt::format("the engine failed, no job ran after that: {}", reason));
  return notes;
}

}  // namespace flyball
