#include <algorithm>
#include <cmath>

#include "env/emulated/machine.h"
#include "env/model/model.h"

// What happens to jobs in the emulated machine: release, drop, start, finish.

namespace flyball {
namespace {

constexpr double kMaxInferences = 1e9;  // a work that varies widely has no upper end

std::size_t at(int index) { return static_cast<std::size_t>(index); }

}  // namespace

void EmulatedMachine::release(int a) {
  App& app = *apps_[at(a)];
  const AppSpec& spec = scenario_.apps[at(a)];
  AppObservation& seen = epoch_.app[at(a)];
  const std::int64_t release_ns = app.arrivals.next_ns();
  app.arrivals.step(spec);
  const double work = app.work.next();  // drawn for a dropped job, too: the stream stays the same
  Outstanding job;
  job.sequence = app.released++;
  job.release_ns = release_ns;
  job.deadline_ns =
      seen.required.deadline_ns > 0 ? job.release_ns + seen.required.deadline_ns : kNeverNs;
  job.accuracy_floor_pct = static_cast<float>(seen.required.accuracy_floor_pct);
  ++seen.released;
  ReadyJob queued;
  queued.release_ns = job.release_ns;
  queued.deadline_ns = job.deadline_ns;
  queued.inferences =
      static_cast<int>(std::clamp(std::round(inferences_[at(a)] * work), 1.0, kMaxInferences));
  job.infeasible = infeasible(a, queued.inferences);
  queued.priority = seen.required.priority;
  queued.app = static_cast<std::uint8_t>(a);
  const int room = std::min(spec.queue_limit, kMaxQueue);
  if (static_cast<int>(seen.backlog) < room && port_.submit(queued)) {
    app.outstanding.push(job);
    ++seen.backlog;
  } else {
    drop(a, job);
  }
}

// Not even alone on the machine, at the highest OPPs, at the fastest width that is accurate enough.
bool EmulatedMachine::infeasible(int a, int inferences) const {
  const Requirements& required = epoch_.app[at(a)].required;
  if (required.deadline_ns <= 0) return false;
  const AppProfile& profile = spec_.apps[at(scenario_.apps[at(a)].profile)];
  for (std::size_t w = 0; w < profile.levels.size(); ++w) {
    if (profile.levels[w].accuracy_pct >= required.accuracy_floor_pct &&
        apps_[at(a)]->fastest_ns[w] * inferences <= static_cast<double>(required.deadline_ns)) {
      return false;
    }
  }
  return true;
}

void EmulatedMachine::drop(int a, const Outstanding& job) {
  AppObservation& seen = epoch_.app[at(a)];
  JobRecord record;
  record.sequence = job.sequence;
  record.release_ns = record.start_ns = record.finish_ns = job.release_ns;
  record.deadline_ns = job.deadline_ns;
  record.accuracy_floor_pct = job.accuracy_floor_pct;
  record.app = static_cast<std::uint8_t>(a);
  record.setting = seen.setting;
  record.missed = record.dropped = true;
  record.infeasible = job.infeasible;
  ++seen.missed;
  epoch_.add_job(record);
}

void EmulatedMachine::on_event(const JobEvent& event, std::int64_t at_ns) {
  run_until(at_ns);
  if (ended_) return;
  if (event.kind == JobEvent::Kind::kStarted) {
    started(event, at_ns);
  } else {
    finished(at_ns);
  }
}

void EmulatedMachine::started(const JobEvent& event, std::int64_t at_ns) {
  const AppProfile& profile = spec_.apps[at(scenario_.apps[event.app].profile)];
  const Mapping& mapping = spec_.mappings[event.setting.mapping];
  running_ = {true, event.app, event.setting, at_ns, meter_.energy_mj(), 0, meter_.now_ns()};
  meter_.job_started(profile, mapping, event.setting.level, event.cores);
  // The knob may have turned between the executor's reading it and now.
  const double ratio = speed_ratio(spec_, mapping, knobs_);
  if (ratio != event.speed_ratio) {
    port_.set_speed_ratio(ratio);
    assert_ratio_ns_ = meter_.now_ns() + kAssertAgainNs;
  }
}

void EmulatedMachine::finished(std::int64_t at_ns) {
  count_cycles();
  meter_.job_finished();
  running_.busy = false;
  App& app = *apps_[running_.app];
  AppObservation& seen = epoch_.app[running_.app];
  const Outstanding job = *app.outstanding.front();
  app.outstanding.pop();
  const AppProfile& profile = spec_.apps[at(scenario_.apps[running_.app].profile)];
  JobRecord record;
  record.sequence = job.sequence;
  record.release_ns = job.release_ns;
  record.start_ns = running_.start_ns;
  record.finish_ns = at_ns;
  record.deadline_ns = job.deadline_ns;
  record.energy_mj = meter_.energy_mj() - running_.energy_mj;
  record.cycles = running_.cycles;
  record.accuracy_pct = static_cast<float>(profile.levels[running_.setting.level].accuracy_pct);
  record.accuracy_floor_pct = job.accuracy_floor_pct;
  record.app = running_.app;
  record.setting = running_.setting;
  record.missed = at_ns > job.deadline_ns;
  record.infeasible =
      job.infeasible && (record.missed || record.accuracy_pct < record.accuracy_floor_pct);
  ++seen.finished;
  --seen.backlog;
  if (record.missed) ++seen.missed;
  seen.last_latency_ns = record.latency_ns();
  seen.last_execution_ns = record.execution_ns();
  seen.last_cycles = record.cycles;
  seen.last_setting = record.setting;
  epoch_.add_job(record);
}

// Of a core at the emulated frequency: its clock runs while the duty cycle holds the real one back.
// Of the fastest cluster that serves the job.
void EmulatedMachine::count_cycles() {
  if (!running_.busy) return;
  std::int64_t freq_khz = 0;
  for (int c = 0; c < epoch_.cluster_count; ++c) {
    if (spec_.mappings[running_.setting.mapping].cores[at(c)] == 0) continue;
    const std::size_t opp = knobs_.opp[at(c)].load(std::memory_order_relaxed);
    freq_khz = std::max(freq_khz, spec_.clusters[at(c)].opps[opp].freq_khz);
  }
  running_.cycles += static_cast<double>(freq_khz) * 1e-6 *
                     static_cast<double>(meter_.now_ns() - running_.counted_ns);
  running_.counted_ns = meter_.now_ns();
}

}  // namespace flyball
