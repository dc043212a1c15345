// What if a trial were made: the shield's judgement of what an agent would do to learn.

#include <algorithm>
#include <cmath>
#include <limits>

#include "governor/loop/shield.h"
#include "kernels/base/normal_tail.h"

namespace flyball {
namespace {

constexpr double kPowerSpread = 0.1;  // where the belief says nothing of it

/// Of a job's time, relative to what it takes alone.
double spread(const SlowdownEstimate& slowdown, unsigned mask) {
  constexpr double kLeast = 0.01;  // nobody is surer
  return std::max(kLeast, slowdown.unsure(mask));
}

}  // namespace

double Shield::planned_mj(int slot, const AppSetting& setting, double limit_ns) const {
  const App& app = *apps_.find(slot);
  const Candidates& of = app.candidates[setting.level];
  const double slow = app.slowdown.mean(mask_[setting.mapping]);
  double energy_mj = 0;
  auto least_ns = std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < of.candidate.size(); ++i) {
    if (of.candidate[i].setting.mapping != setting.mapping || of.time_ns[i] >= least_ns) continue;
    // Late, it is the quickest.
    least_ns = of.time_ns[i];
    energy_mj = static_cast<double>(of.energy_mj[i]);
    if (static_cast<double>(least_ns) * slow <= limit_ns) break;
  }
  return energy_mj;
}

Shield::Risk Shield::next_risk(const Observation& now, int slot, const AppSetting& setting,
                               const OppChoice& opp, const AppSetting& instead) const {
  const AppObservation& state = now.app[slot];
  const AppProfile& profile = apps_.profile(slot);
  const SlowdownEstimate& slowdown = apps_.find(slot)->slowdown;
  const auto deadline_ns = static_cast<double>(state.required.deadline_ns);
  Risk risk;
  risk.short_pct = std::max(0.0, profile.attainable_pct(state.required.accuracy_floor_pct) -
                                     profile.levels[setting.level].accuracy_pct);
  double limit_ns = std::numeric_limits<double>::infinity();
  if (deadline_ns > 0) {
    limit_ns = next_limit_ns(now, slot, static_cast<double>(state.backlog));
    const unsigned mask = mask_[setting.mapping];
    const double alone_ns =
        execution_ns(platform_, profile, platform_.mappings[setting.mapping], setting.level,
                     clocks_come_later(now, slot) ? highest(now) : opp);
    const double left_ns = limit_ns - switch_ns(platform_, state.setting, setting);
    risk.miss = normal_tail((left_ns / alone_ns - slowdown.mean(mask)) / spread(slowdown, mask));
  }
  if (!(setting == instead)) {
    const double gap_ns = deadline_ns > 0 ? deadline_ns
                          : state.required.period_ns > 0
                              ? static_cast<double>(state.required.period_ns)
                              : 1e9;
    const double mj = planned_mj(slot, setting, limit_ns);
    const double instead_mj = planned_mj(slot, instead, limit_ns);
    const double per_mw = 1e9 / gap_ns;
    risk.hot = heat_.exceeded(
        now, (mj - instead_mj) * per_mw,
        platform_.power_spread.value_or(kPowerSpread) * std::hypot(mj, instead_mj) * per_mw,
        kTrialJobs * gap_ns * 1e-9);
  }
  return risk;
}

double Shield::running_risk(const Observation& now, int slot, const OppChoice& opp,
                            std::int64_t interval_ns) const {
  const AppObservation& state = now.app[slot];
  const RunningJobObservation& run = state.running;
  if (state.required.deadline_ns <= 0) return 0;
  const AppProfile& profile = apps_.profile(slot);
  const SlowdownEstimate& slowdown = apps_.find(slot)->slowdown;
  double done = 0;  // in jobs that run alone
  if (now.now_ns > run.start_ns) {
    const std::optional<double> jobs =
        history_.jobs(platform_, profile, run.setting, run.start_ns, now.now_ns);
    if (!jobs) return 1;
    done = *jobs;
  }
  const Mapping& mapping = platform_.mappings[run.setting.mapping];
  const unsigned mask = mask_[run.setting.mapping];
  const double left_ns = std::max(0.0, static_cast<double>(run.deadline_ns - now.now_ns));
  const double first_ns = std::min(left_ns, static_cast<double>(interval_ns));
  const double then_ns = std::max(0.0, left_ns - first_ns - platform_.decision_latency_us * 1e3);
  const double room =
      first_ns / execution_ns(platform_, profile, mapping, run.setting.level, opp) +
      then_ns / execution_ns(platform_, profile, mapping, run.setting.level, highest(now));
  const double mean = slowdown.mean(mask);
  const double sd = spread(slowdown, mask);
  // It has not ended yet, which the longer ones do.
  const double still_runs = normal_tail((done - mean) / sd);
  return still_runs > 1e-9 ? std::min(1.0, normal_tail((done + room - mean) / sd) / still_runs) : 1;
}

bool Shield::refuse_trials(const Observation& now, const Trial& trial, Action& action,
                           Refused* refused) const {
  // Whatever the agent names in its place has to be possible.
  Trial checked = trial;
  clamp(now, checked.instead);
  bool changed = false;
  for (int a = 0; a < apps_.count(); ++a) {
    if (!guards(a) || apps_.find(a)->taken_over || !now.app[a].active) continue;
    if ((trial.next >> a & 1) != 0)
      changed = refuse_next(now, a, checked, action, refused) || changed;
    if ((trial.clocks >> a & 1) != 0 && now.app[a].running.busy)
      changed = refuse_clocks(now, a, checked, action, refused) || changed;
  }
  return changed;
}

bool Shield::refuse_next(const Observation& now, int slot, const Trial& trial, Action& action,
                         Refused* refused) const {
  const AppObservation& state = now.app[slot];
  const AppSetting instead = trial.instead.app[slot];
  // Looked at when it was decided, and nothing is known since.
  if (!options_.guard_idle && state.backlog == 0 && state.finished == 0 &&
      action.app[slot] == state.setting)
    return false;
  const Risk risk = next_risk(now, slot, action.app[slot], action.opp, instead);
  if (acceptable(risk)) return false;
  const Action asked = action;
  if (acceptable(next_risk(now, slot, instead, trial.instead.opp, instead))) {
    place(now, slot, instead, trial.instead.opp, action);
  } else {
    const SlowdownEstimate& slowdown = apps_.find(slot)->slowdown;
    Slow slow;
    for (std::size_t m = 0; m < mask_.size(); ++m) {
      slow[m] = static_cast<float>(slowdown.mean(mask_[m]) +
                                   trial_deviations_ * spread(slowdown, mask_[m]));
    }
    const double limit_ns = state.required.deadline_ns > 0
                                ? next_limit_ns(now, slot, static_cast<double>(state.backlog))
                                : std::numeric_limits<double>::infinity();
    const Candidate* own = find_safe(now, slot, limit_ns, slow);
    if (own == nullptr ||
        next_risk(now, slot, own->setting, own->opp, instead).hot > options_.trial_hot)
      return false;
    place(now, slot, own->setting, own->opp, action);
  }
  if (action == asked) return false;
  if (refused != nullptr) *refused = {slot, risk};
  return true;
}

bool Shield::refuse_clocks(const Observation& now, int slot, const Trial& trial, Action& action,
                           Refused* refused) const {
  const double miss = running_risk(now, slot, action.opp, trial.interval_ns);
  if (miss <= options_.trial_miss) return false;
  const Mapping& mapping = platform_.mappings[now.app[slot].running.setting.mapping];
  const Action asked = action;
  const auto raise_to = [&](const OppChoice& opp) {
    for (int c = 0; c < now.cluster_count; ++c) {
      if (mapping.cores[c] > 0) action.opp[c] = std::max(action.opp[c], opp[c]);
    }
  };
  raise_to(trial.instead.opp);
  if (running_risk(now, slot, action.opp, trial.interval_ns) > options_.trial_miss) {
    raise_to(highest(now));
    if (running_risk(now, slot, action.opp, trial.interval_ns) > options_.trial_miss)
      action = asked;
  }
  if (action == asked) return false;
  if (refused != nullptr) *refused = {slot, {miss, 0, 0}};
  return true;
}

Reason Shield::Refused::reason() const {
  return {Reason::Code::kRefused,
          static_cast<std::uint8_t>(slot),
          {static_cast<float>(100 * risk.miss), static_cast<float>(100 * risk.hot),
           static_cast<float>(risk.short_pct)}};
}

}  // namespace flyball
