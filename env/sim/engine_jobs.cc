#include <algorithm>

#include "env/sim/engine.h"

// The life of a job: released, started, finished or dropped.

namespace flyball {

void Engine::release(int a) {
  SimApp& app = s_.app[a];
  QueuedJob job;
  job.sequence = app.next_sequence++;
  job.release_ns = app.arrivals.next_ns();
  job.deadline_ns =
      app.required.deadline_ns > 0 ? job.release_ns + app.required.deadline_ns : kNeverNs;
  job.work = app.work.next();
  job.accuracy_floor_pct = static_cast<float>(app.required.accuracy_floor_pct);
  app.arrivals.step(m_.scenario.apps[a]);
  ++app.released;
  s_.released_any = true;
  const int limit = std::min(m_.scenario.apps[a].queue_limit, kMaxQueue);
  if (static_cast<int>(app.backlog()) < limit) {
    app.queue[(app.head + app.waiting++) % kMaxQueue] = job;
    return;
  }
  ++app.missed;
  JobRecord* slot = sink_ != nullptr ? sink_->new_job() : nullptr;
  if (slot == nullptr) return;
  JobRecord& record = *slot;
  record.sequence = job.sequence;
  record.release_ns = record.start_ns = record.finish_ns = job.release_ns;
  record.deadline_ns = job.deadline_ns;
  record.accuracy_floor_pct = job.accuracy_floor_pct;
  record.app = static_cast<std::uint8_t>(a);
  record.setting = app.setting;
  record.missed = record.dropped = true;
  record.infeasible =
      !m_.feasible(a, job.release_ns, job.deadline_ns, job.work, app.required.accuracy_floor_pct);
}

void Engine::start_waiting() {
  for (int a = 0; a < m_.apps; ++a) {
    SimApp& app = s_.app[a];
    if (app.running || app.waiting == 0) continue;
    RunningJob& run = app.run;
    run = RunningJob{};
    run.job = app.queue[app.head];
    app.head = (app.head + 1) % kMaxQueue;
    --app.waiting;
    run.setting = app.setting;
    run.start_ns = s_.now_ns;
    run.left = run.job.work;
    if (app.started) run.overhead_ns = switch_ns(m_.spec, app.last_setting, app.setting);
    app.started = true;
    app.last_setting = app.setting;
    app.running = true;
    ++s_.running;
    s_.dirty = true;
    if (a == s_.watched_app && !s_.watch_started) {
      s_.watch_started = true;
      s_.watched_sequence = run.job.sequence;
      s_.watched_deadline_ns = run.job.deadline_ns;
    }
  }
}

void Engine::finish(int a) {
  SimApp& app = s_.app[a];
  const RunningJob& run = app.run;
  app.running = false;
  --s_.running;
  s_.dirty = s_.finished_any = true;
  ++app.finished;
  const bool missed = s_.now_ns > run.job.deadline_ns;
  if (missed) ++app.missed;
  app.last_latency_ns = s_.now_ns - run.job.release_ns;
  app.last_execution_ns = s_.now_ns - run.start_ns;
  app.last_cycles = run.cycles;
  app.last_finished = run.setting;
  if (a == s_.watched_app && s_.watch_started && run.job.sequence == s_.watched_sequence) {
    s_.watch_done = true;
    s_.watched_finish_ns = s_.now_ns;
  }
  JobRecord* slot = sink_ != nullptr ? sink_->new_job() : nullptr;
  if (slot == nullptr) return;
  JobRecord& record = *slot;
  record.sequence = run.job.sequence;
  record.release_ns = run.job.release_ns;
  record.start_ns = run.start_ns;
  record.finish_ns = s_.now_ns;
  record.deadline_ns = run.job.deadline_ns;
  record.energy_mj = run.energy_mj;
  record.cycles = run.cycles;
  record.accuracy_pct = static_cast<float>(m_.profile[a]->levels[run.setting.level].accuracy_pct);
  record.accuracy_floor_pct = run.job.accuracy_floor_pct;
  record.app = static_cast<std::uint8_t>(a);
  record.setting = run.setting;
  record.missed = missed;
  // A job that met both was feasible; only the others need the search.
  if (missed || record.accuracy_pct < record.accuracy_floor_pct) {
    // The file's floor is a double, the record's a float: half a step of it must not matter.
    record.infeasible = !m_.feasible(a, run.job.release_ns, run.job.deadline_ns, run.job.work,
                                     static_cast<double>(record.accuracy_floor_pct) - 1e-4);
  }
}

}  // namespace flyball
