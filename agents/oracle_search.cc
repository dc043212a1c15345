#include <algorithm>

#include "agents/opp_search.h"
#include "agents/oracle.h"
#include "agents/profile_table.h"
#include "env/sim/simulator.h"

namespace flyball {
namespace {

constexpr std::int64_t kFarNs = 1'000'000'000;
constexpr int kForeseenReleases = 8;  // beyond them an even share is the period, near enough

/// The levels, as bits, that reach the floor, less those that another of them makes pointless.
std::array<bool, kMaxLevels> worth_trying(const AppProfile& profile, double floor_pct) {
  const double least_pct = profile.attainable_pct(floor_pct);
  const auto reaches = [&](int level) {
    return profile.levels[static_cast<std::size_t>(level)].accuracy_pct >= least_pct;
  };
  std::array<bool, kMaxLevels> levels{};
  for (int level = 0; level < profile.level_count(); ++level) {
    bool pointless = !reaches(level);
    for (int other = 0; other < profile.level_count() && !pointless; ++other) {
      if (other == level || !reaches(other) || !profile.never_dearer(other, level)) continue;
      if (!profile.never_dearer(level, other)) {
        pointless = true;
        continue;
      }
      // Of equals the most accurate stays, and of those the first.
      const double gain = profile.levels[static_cast<std::size_t>(other)].accuracy_pct -
                          profile.levels[static_cast<std::size_t>(level)].accuracy_pct;
      pointless = gain > 0 || (gain == 0 && other < level);
    }
    levels[static_cast<std::size_t>(level)] = !pointless;
  }
  return levels;
}

/// Jobs behind the one that runs would add to its energy, each setting's differently.
void leave_out_later_jobs(SimState& state, int a) {
  state.jobs.app[a].arrivals.end();
  state.jobs.app[a].waiting = 0;
}

}  // namespace

std::int64_t Oracle::latest_finish_ns(const SimState& start, int a) const {
  const LedgerApp& app = start.jobs.app[a];
  std::int64_t latest_ns = app.job.deadline_ns;
  std::int64_t jobs = 1;
  const auto share = [&](std::int64_t deadline_ns) {
    ++jobs;
    latest_ns = std::min(latest_ns, start.now_ns + (deadline_ns - start.now_ns) / jobs);
  };
  for (std::uint32_t i = 0; i < app.waiting; ++i) share(app.waiting_job(i).deadline_ns);
  if (app.required.deadline_ns == 0) return latest_ns;
  ArrivalStream arrivals = app.arrivals;
  for (int k = 0; k < kForeseenReleases && arrivals.next_ns() != kNeverNs; ++k) {
    share(arrivals.next_ns() + app.required.deadline_ns);
    arrivals.step(model_.scenario.apps[static_cast<std::size_t>(a)]);
  }
  return latest_ns;
}

/// Twice its time at the lowest frequencies: what shares its cores may make it slower.
double Oracle::slowest_ns(const SimState& start, int a, const AppSetting& setting) const {
  const LedgerApp& app = start.jobs.app[a];
  const Mapping& mapping = model_.spec.mappings[setting.mapping];
  return 2 * (switch_ns(model_.spec, now_.jobs.app[a].last_setting, setting) +
              execution_ns(model_.spec, profile(a), mapping, setting.level, {}, app.job.work));
}

/// Energies are compared at the deadline; where that is far, when every choice has finished.
Oracle::Trial Oracle::trial_at(const SimState& start, int a, std::int64_t slowest_ns) const {
  const LedgerApp& app = start.jobs.app[a];
  Trial trial;
  trial.app = a;
  trial.start_mj = start.total_mj;
  trial.start_ns = start.now_ns;
  trial.limit_ns = latest_finish_ns(start, a);
  trial.compare_ns = std::min({app.job.deadline_ns, start.now_ns + std::max(slowest_ns, kFarNs),
                               model_.scenario.duration_ns});
  return trial;
}

/// OPPs at which the jobs that run keep their pace although `mapping` joins them; false when they
/// cannot.
bool Oracle::keep_pace(const SimState& start, int a, int mapping, OppChoice& opp) const {
  opp = {};
  bool kept = true;
  for (int c = 0; c < model_.clusters; ++c) {
    const ClusterSpec& cluster = model_.spec.clusters[static_cast<std::size_t>(c)];
    int wanted = model_.spec.mappings[static_cast<std::size_t>(mapping)].cores[c];
    if (wanted == 0) continue;
    int others = 0;
    for (int b = 0; b < model_.apps; ++b) {
      const LedgerApp& app = start.jobs.app[b];
      if (b != a && app.running) others += model_.spec.mappings[app.job_setting.mapping].cores[c];
    }
    wanted += others;
    if (others == 0 || wanted <= cluster.cores) continue;
    // Everyone's share of the cores shrinks by cores / wanted.
    const int needed = clocks(start, a)[c];
    const double khz =
        static_cast<double>(cluster.opps[static_cast<std::size_t>(needed)].freq_khz) * wanted /
        cluster.cores;
    opp[c] = static_cast<std::uint8_t>(lowest_at_least(cluster, khz, opp_cap(start, c)));
    kept = kept && static_cast<double>(cluster.opps[opp[c]].freq_khz) >= khz;
  }
  return kept;
}

/// Plays `base_` on with the OPPs of `job`; whether it is on time. What is late when something is on
/// time already is not played to its end.
bool Oracle::try_choice(const Trial& trial, JobPlan& job, Best& best) {
  ++tried_;
  truth_.fork(base_, trial_);
  const LedgerApp& app = trial_.jobs.app[trial.app];
  bool going = true;
  while (going && app.running) {
    going = step(trial_, best.on_time ? trial.limit_ns : kNeverNs);
    if (best.on_time && app.running && trial_.now_ns >= trial.limit_ns) return false;
  }
  const std::int64_t finish_ns =
      app.running ? trial_.run[trial.app].finish_ns : app.job.release_ns + app.last_latency_ns;
  const bool on_time = !app.running && finish_ns <= trial.limit_ns;
  while (going && on_time && trial_.now_ns < trial.compare_ns) {
    going = step(trial_, trial.compare_ns);
  }
  const double energy_mj = trial_.total_mj - trial.start_mj;
  const double cost =
      on_time ? energy_mj : static_cast<double>(finish_ns - app.job.release_ns) * 1e-6;
  if (!best.found || (on_time && !best.on_time) || (on_time == best.on_time && cost < best.cost)) {
    const auto span_ns =
        static_cast<double>(std::max<std::int64_t>(1, trial_.now_ns - trial.start_ns));
    job.power_mw = energy_mj * 1e9 / span_ns;
    best = {true, on_time, cost, job};
  }
  return on_time;
}

void Oracle::search_opps(const Trial& trial, const OppChoice& pace, JobPlan& job, Best& best) {
  leave_out_later_jobs(base_, trial.app);
  const Mapping& mapping = model_.spec.mappings[job.setting.mapping];
  OppChoice top{};
  for (int c = 0; c < model_.clusters; ++c) {
    if (mapping.cores[c] > 0) top[c] = static_cast<std::uint8_t>(opp_cap(base_, c));
  }
  job.opp = top;
  if (!try_choice(trial, job, best)) return;  // not even this: no lower choice can be on time
  for_each_opp_choice(model_.spec, mapping, [&](const OppChoice& own) {
    for (int c = 0; c < model_.clusters; ++c) {
      if (own[c] > top[c] || own[c] < pace[c]) return;
    }
    job.opp = own;
    if (own != top) try_choice(trial, job, best);
  });
}

/// A job that was planned with others' frequencies where it shares their clusters keeps them when
/// the others are done.
void Oracle::join_others(const SimState& start, int a, JobPlan& job) const {
  const OppChoice others = clocks(start, a);
  const Mapping& mapping = model_.spec.mappings[job.setting.mapping];
  for (int c = 0; c < model_.clusters; ++c) {
    if (mapping.cores[c] > 0) job.opp[c] = std::max(job.opp[c], others[c]);
  }
}

void Oracle::tell(int a, const Best& best, Decision& out) const {
  out.fresh = true;
  out.reason = {
      Reason::Code::kSearched,
      static_cast<std::uint8_t>(a),
      {static_cast<float>(tried_), best.on_time ? 1.0f : 0.0f, static_cast<float>(best.cost)}};
}

/// The OPPs of the job that has just started.
void Oracle::plan_opps(int a, Decision& out) {
  JobPlan& job = plan_[a].running;
  truth_.fork(now_, base_);
  tried_ = 0;
  Best best;
  OppChoice pace;
  keep_pace(now_, a, job.setting.mapping, pace);
  const Trial trial =
      trial_at(now_, a, static_cast<std::int64_t>(slowest_ns(now_, a, job.setting)));
  search_opps(trial, pace, job, best);
  job = best.job;
  join_others(now_, a, job);
  tell(a, best, out);
}

/// Mapping, level and OPPs of the job that starts next.
void Oracle::plan_next(int a, Decision& out) {
  JobPlan& job = plan_[a].next;
  job.made = false;
  truth_.fork(now_, scout_);
  if (!play_to_start(scout_, a)) return;
  play_near(a);
  const LedgerApp& started = scout_.jobs.app[a];
  const auto levels =
      worth_trying(profile(a), static_cast<double>(started.job.accuracy_floor_pct) - 1e-4);
  const int mappings = static_cast<int>(model_.spec.mappings.size());
  const auto for_each_setting = [&](int m, auto&& visit) {
    if (!runs_on(profile(a), model_.spec.mappings[static_cast<std::size_t>(m)])) return;
    for (int level = 0; level < profile(a).level_count(); ++level) {
      if (!levels[static_cast<std::size_t>(level)]) continue;
      visit(AppSetting{static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(level)});
    }
  };
  double slowest = 0;
  for (int m = 0; m < mappings; ++m) {
    for_each_setting(m, [&](const AppSetting& setting) {
      slowest = std::max(slowest, slowest_ns(scout_, a, setting));
    });
  }
  const Trial trial = trial_at(scout_, a, static_cast<std::int64_t>(slowest));

  tried_ = 0;
  Best best;
  const AppSetting before = action_.app[a];
  // What shares cores with jobs that already run slows them. So where a mapping takes cores from
  // them they are sped up by as much; mappings that cannot make it up count only when nothing else
  // is on time.
  for (const bool kept : {true, false}) {
    for (int m = 0; m < mappings && (kept || !best.on_time); ++m) {
      OppChoice pace;
      if (keep_pace(scout_, a, m, pace) != kept) continue;
      for_each_setting(m, [&](const AppSetting& setting) {
        job.made = false;
        action_.app[a] = setting;
        truth_.fork(near_, base_);
        // It may start too soon to be started with anything but what is in force.
        if (!play_to_start(base_, a) || base_.jobs.app[a].job_setting != setting) return;
        job = {true, started.job.sequence, setting, {}, 0};
        search_opps(trial, pace, job, best);
      });
    }
  }
  action_.app[a] = before;
  job.made = false;
  if (!best.found) return;
  job = best.job;
  join_others(scout_, a, job);
  tell(a, best, out);
}

}  // namespace flyball
