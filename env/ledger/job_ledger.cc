#include "env/ledger/job_ledger.h"

#include <algorithm>

#include "env/ledger/job_counts.h"

namespace flyball {
LedgerModel::LedgerModel(const PlatformSpec& spec_in, const Scenario& scenario_in)
    : spec(spec_in),
      scenario(scenario_in),
      apps(static_cast<int>(scenario_in.apps.size())),
      segments(background_segments(spec_in, scenario_in)),
      feasibility(spec, segments) {
  scale.fill(1);
  for (int a = 0; a < apps; ++a) {
    const AppSpec& app = scenario.apps[static_cast<std::size_t>(a)];
    profile[a] = &spec.apps[static_cast<std::size_t>(app.profile)];
    bindings.push_back(binding_of(app, *profile[a]));
  }
}

void JobLedger::reset(std::uint64_t seed) {
  for (int a = 0; a < m_.apps; ++a) {
    LedgerApp& app = s_.app[a];
    const AppSpec& spec = m_.scenario.apps[static_cast<std::size_t>(a)];
    app = LedgerApp{};
    app.required = spec.required;
    app.arrivals = ArrivalStream(spec, seed, a);
    app.work = WorkStream(spec, seed, a);
    const AppProfile& profile = *m_.profile[a];
    const int big = m_.spec.find_mapping(m_.spec.big_cluster(), 1);
    if (big >= 0 && runs_on(profile, m_.spec.mappings[static_cast<std::size_t>(big)])) {
      app.setting.mapping = static_cast<std::uint8_t>(big);
    } else {
      const auto& all = m_.spec.mappings;
      const auto first = std::find_if(all.begin(), all.end(),
                                      [&](const Mapping& m) { return runs_on(profile, m); });
      app.setting.mapping = first == all.end() ? 0 : static_cast<std::uint8_t>(first - all.begin());
    }
    app.setting.level = static_cast<std::uint8_t>(profile.levels.size() - 1);
    app.last_setting = app.last_finished = app.setting;
  }
  turn_roster(0);
}

void JobLedger::ask(const Action& action) {
  for (int a = 0; a < m_.apps; ++a) {
    const AppSetting& wanted = action.app[a];
    LedgerApp& app = s_.app[a];
    if (app.generation % 2 == 0) continue;  // nobody has the slot: its entry means nothing
    if (wanted.mapping < m_.spec.mappings.size() &&
        runs_on(*m_.profile[a], m_.spec.mappings[wanted.mapping])) {
      app.setting.mapping = wanted.mapping;
    }
    if (wanted.level < m_.profile[a]->levels.size()) app.setting.level = wanted.level;
  }
}

void JobLedger::set_period(int a, std::int64_t period_ns, bool announced) {
  const AppSpec& spec = m_.scenario.apps[static_cast<std::size_t>(a)];
  s_.app[a].arrivals.set_period(period_ns);
  if (announced) s_.app[a].required.period_ns = spec.arrival.nominal_gap_ns(period_ns);
}

/// An application has its slot from its start on until it has stopped and its last job is done.
void JobLedger::turn_roster(std::int64_t now_ns) {
  s_.roster_ns = kNeverNs;
  for (int a = 0; a < m_.apps; ++a) {
    const AppSpec& spec = m_.scenario.apps[static_cast<std::size_t>(a)];
    LedgerApp& app = s_.app[a];
    app.active = now_ns >= spec.start_ns && now_ns < spec.stop_ns;
    const bool bound = app.generation % 2 == 1;
    if (app.active != bound && (app.active || app.backlog() == 0)) {
      ++app.generation;
      ++s_.roster_version;
    }
    for (const std::int64_t edge : {spec.start_ns, spec.stop_ns}) {
      if (edge > now_ns) s_.roster_ns = std::min(s_.roster_ns, edge);
    }
  }
}

bool JobLedger::release(int a) {
  LedgerApp& app = s_.app[a];
  const AppSpec& spec = m_.scenario.apps[static_cast<std::size_t>(a)];
  LedgerJob job;
  job.sequence = app.next_sequence++;
  job.release_ns = app.arrivals.next_ns();
  job.deadline_ns =
      app.required.deadline_ns > 0 ? job.release_ns + app.required.deadline_ns : kNeverNs;
  // Drawn for a dropped job, too: the stream stays the same.
  job.work = app.work.next() * spec.work_at(job.release_ns);
  if (const ListedJob* listed = app.arrivals.listed(spec); listed != nullptr) {
    job.deadline_ns = job.release_ns + listed->deadline_ns;
    job.work = listed->work;
  }
  job.accuracy_floor_pct = static_cast<float>(app.required.accuracy_floor_pct);
  app.arrivals.step(spec);
  ++app.released;
  s_.released_any = true;
  if (static_cast<int>(app.backlog()) >= std::min(spec.queue_limit, kMaxQueue)) {
    drop(a, job);
    return false;
  }
  app.queue[(app.head + app.waiting++) % kMaxQueue] = job;
  return true;
}

void JobLedger::drop_newest(int a) {
  LedgerApp& app = s_.app[a];
  --app.waiting;
  drop(a, app.waiting_job(app.waiting));
}

bool JobLedger::infeasible(int a, const LedgerJob& job) const {
  // The file's floor is a double, the record's a float: half a step of it must not matter.
  return !m_.feasibility.feasible(m_.scenario.apps[static_cast<std::size_t>(a)].profile,
                                  job.release_ns, job.deadline_ns, job.work * m_.scale[a],
                                  static_cast<double>(job.accuracy_floor_pct) - 1e-4);
}

void JobLedger::drop(int a, const LedgerJob& job) {
  LedgerApp& app = s_.app[a];
  count_drop(app, app.required, job.release_ns, job.deadline_ns, job.accuracy_floor_pct,
             m_.profile[a]->highest_accuracy_pct());
  JobRecord* record = sink_ != nullptr ? sink_->new_job() : nullptr;
  if (record == nullptr) return;
  record->sequence = job.sequence;
  record->release_ns = record->start_ns = record->finish_ns = job.release_ns;
  record->deadline_ns = job.deadline_ns;
  record->accuracy_floor_pct = job.accuracy_floor_pct;
  record->app = static_cast<std::uint8_t>(a);
  record->setting = app.setting;
  record->missed = record->dropped = true;
  record->infeasible = infeasible(a, job);
}

CpuSet JobLedger::cpus_for(int app, const Mapping& mapping, const CpuAllocator& cpus) const {
  CpuSet busy, kept;
  for (int a = 0; a < m_.apps; ++a) {
    const LedgerApp& other = s_.app[a];
    if (a == app || other.generation % 2 == 0) continue;
    CpuSet& to = other.running ? busy : kept;
    to = to | other.cpus;
  }
  return cpus.allocate(mapping, busy, kept);
}

void JobLedger::start(int a, const AppSetting& setting, const CpuSet& cpus, std::int64_t now_ns) {
  LedgerApp& app = s_.app[a];
  app.job = app.queue[app.head];
  app.head = (app.head + 1) % kMaxQueue;
  --app.waiting;
  app.job_setting = setting;
  app.cpus = cpus;
  app.start_ns = now_ns;
  app.job_mj = app.job_cycles = 0;
  app.running = app.started = true;
  app.last_setting = setting;
  ++s_.running;
}

void JobLedger::finish(int a, std::int64_t at_ns, std::int64_t now_ns) {
  LedgerApp& app = s_.app[a];
  app.running = false;
  --s_.running;
  s_.finished_any = true;
  const bool missed = at_ns > app.job.deadline_ns;
  app.last_latency_ns = at_ns - app.job.release_ns;
  app.last_execution_ns = at_ns - app.start_ns;
  app.last_cycles = app.job_cycles;
  app.last_finished = app.job_setting;
  const double level_pct = m_.profile[a]->levels[app.job_setting.level].accuracy_pct;
  const auto accuracy_pct = static_cast<float>(level_pct);
  count_finish(app, app.required, app.last_latency_ns, at_ns - app.job.deadline_ns, accuracy_pct,
               app.job.accuracy_floor_pct, m_.profile[a]->highest_accuracy_pct() - level_pct);
  count_energy(app, app.required, app.job_mj);
  if (!app.active && app.backlog() == 0) turn_roster(now_ns);
  JobRecord* record = sink_ != nullptr ? sink_->new_job() : nullptr;
  if (record == nullptr) return;
  record->sequence = app.job.sequence;
  record->release_ns = app.job.release_ns;
  record->start_ns = app.start_ns;
  record->finish_ns = at_ns;
  record->deadline_ns = app.job.deadline_ns;
  record->energy_mj = app.job_mj;
  record->cycles = app.job_cycles;
  record->accuracy_pct = accuracy_pct;
  record->accuracy_floor_pct = app.job.accuracy_floor_pct;
  record->app = static_cast<std::uint8_t>(a);
  record->setting = app.job_setting;
  record->missed = missed;
  // A job that met both was feasible; only the others need the search.
  if (missed || accuracy_pct < app.job.accuracy_floor_pct)
    record->infeasible = infeasible(a, app.job);
}

void JobLedger::observe(const LedgerModel& model, const LedgerState& state, Observation& out) {
  out.app_count = model.apps;
  out.roster_version = state.roster_version;
  for (int a = 0; a < model.apps; ++a) {
    const LedgerApp& from = state.app[a];
    AppObservation& to = out.app[a];
    to.generation = from.generation;
    to.active = from.active;
    to.required = from.required;
    to.setting = from.setting;
    to.released = from.released;
    to.finished = from.finished;
    to.dropped = from.dropped;
    to.missed = from.missed;
    to.backlog = from.backlog();
    to.energy_mj = from.energy_mj;
    to.accuracy_shortfall_pct = from.accuracy_shortfall_pct;
    to.over_budget_mj = from.over_budget_mj;
    to.below_floor = from.below_floor;
    to.over_budget = from.over_budget;
    to.forgiven = from.forgiven;
    to.accuracy_lost_pct = from.accuracy_lost_pct;
    to.latency_sum_ns = from.latency_sum_ns;
    to.last_latency_ns = from.last_latency_ns;
    to.last_execution_ns = from.last_execution_ns;
    to.last_cycles = from.last_cycles;
    to.last_setting = from.last_finished;
    RunningJobObservation& run = to.running;
    run.busy = from.running;
    if (from.running) {
      run.sequence = from.job.sequence;
      run.release_ns = from.job.release_ns;
      run.start_ns = from.start_ns;
      run.deadline_ns = from.job.deadline_ns;
      run.setting = from.job_setting;
      run.cpus = from.cpus;
    }
    to.waiting_count = from.waiting;
    for (std::uint32_t i = 0; i < from.waiting; ++i) {
      const LedgerJob& job = from.waiting_job(i);
      to.waiting[i] = {job.sequence, job.release_ns, job.deadline_ns};
    }
  }
}

void JobLedger::clear_epoch() {
  s_.idle_mj = 0;
  for (int a = 0; a < m_.apps; ++a) {
    LedgerApp& app = s_.app[a];
    app.released = app.finished = app.dropped = app.missed = 0;
    app.below_floor = app.over_budget = 0;
    app.energy_mj = app.accuracy_shortfall_pct = app.over_budget_mj = 0;
    app.forgiven = app.accuracy_lost_pct = 0;
    app.latency_sum_ns = 0;
  }
}

}  // namespace flyball
