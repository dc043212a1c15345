#include "governor/loop/shield.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "env/model/fastest.h"
#include "governor/loop/job_cost.h"
#include "kernels/base/normal_tail.h"

namespace flyball {
namespace {

constexpr double kDeviations = 1.25;  // mean absolute ones in a standard deviation

}  // namespace

Shield::Shield(const Belief& belief, Options options)
    : platform_(belief.mean),
      options_(options),
      apps_(belief),
      heat_(platform_),
      trial_deviations_(deviations_that_leave(options.trial_miss)) {
  for (const Mapping& mapping : platform_.mappings) {
    mask_.push_back(static_cast<std::uint8_t>(cluster_mask(mapping)));
  }
}

void Shield::bind(int slot, const Binding& binding, const Observation& now) {
  auto& place = apps_.bind(slot, binding, now);
  App& app = place.own.emplace(App{});
  if (platform_.time_spread) app.slowdown = SlowdownEstimate(*platform_.time_spread / kDeviations);
  build(slot, now, app);
}

void Shield::unbind(int slot) { apps_.unbind(slot); }

void Shield::build(int slot, const Observation& now, App& app) const {
  const AppProfile& profile = apps_.profile(slot);
  bool found = false;
  for (std::size_t m = 0; m < platform_.mappings.size(); ++m) {
    app.supported.push_back(runs_on(profile, platform_.mappings[m]));
    if (app.supported.back() != 0 && !found) {
      app.fallback_mapping = static_cast<int>(m);
      found = true;
    }
  }
  app.fastest_mapping.assign(profile.levels.size(),
                             static_cast<std::uint8_t>(app.fallback_mapping));
  if (profile.plain_load) return;

  const double deadline_ns = static_cast<double>(now.app[slot].required.deadline_ns);
  std::vector<Candidate> all;
  std::vector<double> time_ns, energy_mj;
  for (std::size_t l = 0; l < profile.levels.size(); ++l) {
    const int fastest = fastest_at(platform_, profile, static_cast<int>(l)).mapping;
    if (fastest >= 0) app.fastest_mapping[l] = static_cast<std::uint8_t>(fastest);
  }
  if (!options_.guard) return;
  for (std::size_t m = 0; m < platform_.mappings.size(); ++m) {
    if (app.supported[m] == 0) continue;
    const Mapping& mapping = platform_.mappings[m];
    int rungs = 1;
    for (std::size_t c = 0; c < platform_.clusters.size(); ++c)
      if (mapping.cores[c] > 0) rungs = std::max(rungs, platform_.clusters[c].max_opp() + 1);
    for (std::size_t l = 0; l < profile.levels.size(); ++l) {
      const int level = static_cast<int>(l);
      for (int rung = 0; rung < rungs; ++rung) {
        Candidate candidate;
        candidate.setting = {static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(l)};
        for (std::size_t c = 0; c < platform_.clusters.size(); ++c) {
          if (mapping.cores[c] == 0) continue;
          const int top = platform_.clusters[c].max_opp();
          candidate.opp[c] = static_cast<std::uint8_t>(rungs > 1 ? rung * top / (rungs - 1) : top);
        }
        const double alone_ns = execution_ns(platform_, profile, mapping, level, candidate.opp);
        all.push_back(candidate);
        time_ns.push_back(alone_ns);
        energy_mj.push_back(ranking_energy_mj(platform_, profile, mapping, level, candidate.opp,
                                              alone_ns, deadline_ns));
      }
    }
  }
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return energy_mj[a] < energy_mj[b]; });
  app.candidates.resize(profile.levels.size());
  for (const std::size_t i : order) {
    Candidates& to = app.candidates[all[i].setting.level];
    const auto ns = static_cast<float>(time_ns[i]);
    if (to.candidate.size() % Candidates::kBlock == 0) to.block_ns.push_back(ns);
    to.block_ns.back() = std::min(to.block_ns.back(), ns);
    to.candidate.push_back(all[i]);
    to.time_ns.push_back(ns);
    to.energy_mj.push_back(static_cast<float>(energy_mj[i]));
  }
}

Shield::Verdict Shield::check(const Observation& now, Action& action, const Trial& trial,
                              Refused* refused) const noexcept {
  const bool clamped = clamp(now, action);
  if (!options_.guard) return clamped ? Verdict::kClamped : Verdict::kPassed;
  const bool blind = blind_epochs_ >= options_.sensor_epochs;
  bool taken = false;
  bool replaced =
      trial.any() && options_.what_if && !blind && refuse_trials(now, trial, action, refused);
  for (int a = 0; a < apps_.count(); ++a) {
    if (!guards(a)) continue;
    if (blind || apps_.find(a)->taken_over) {
      take_over(now, a, action);
      taken = true;
    } else if (next_misses(now, a, action)) {
      replaced = replace(now, a, action) || replaced;
    }
  }
  // Last, so that no replacement for one job slows another that runs.
  const bool changed = replaced || taken;
  for (int a = 0; a < apps_.count(); ++a) {
    if (!guards(a) || !now.app[a].running.busy) continue;
    if (changed || running_misses(now, a, action.opp))
      replaced = keep_pace(now, a, action) || replaced;
  }
  if (taken) return Verdict::kTakenOver;
  if (replaced) return Verdict::kReplaced;
  return clamped ? Verdict::kClamped : Verdict::kPassed;
}

bool Shield::clamp(const Observation& now, Action& action) const {
  bool changed = false;
  const auto put = [&changed](std::uint8_t& index, int admissible) {
    changed = changed || index != admissible;
    index = static_cast<std::uint8_t>(admissible);
  };
  const int clusters = static_cast<int>(platform_.clusters.size());
  for (int c = 0; c < clusters; ++c) {
    int top = platform_.clusters[c].max_opp();
    if (c < now.cluster_count) top = std::min<int>(top, now.cluster[c].opp_cap);
    put(action.opp[c], std::min<int>(action.opp[c], top));
  }
  for (int c = clusters; c < kMaxClusters; ++c) put(action.opp[c], 0);
  for (int a = 0; a < apps_.count(); ++a) {
    AppSetting& setting = action.app[a];
    const App* app = apps_.find(a);
    if (app == nullptr) {
      put(setting.mapping, 0);
      put(setting.level, 0);
      continue;
    }
    if (setting.mapping >= app->supported.size() || app->supported[setting.mapping] == 0) {
      put(setting.mapping, app->fallback_mapping);
    }
    const int last = static_cast<int>(apps_.profile(a).levels.size()) - 1;
    put(setting.level, std::min<int>(setting.level, last));
  }
  // Of slots that nobody has.
  static constexpr Action kNothing;
  const auto used = static_cast<std::size_t>(apps_.count());
  const std::size_t bytes = (action.app.size() - used) * sizeof(AppSetting);
  if (bytes > 0 && std::memcmp(&action.app[used], &kNothing.app[used], bytes) != 0) {
    std::fill(action.app.begin() + apps_.count(), action.app.end(), AppSetting{});
    changed = true;
  }
  return changed;
}

double Shield::predicted_ns(int slot, const AppSetting& setting, const OppChoice& opp) const {
  return execution_ns(platform_, apps_.profile(slot), platform_.mappings[setting.mapping],
                      setting.level, opp) *
         apps_.find(slot)->slowdown.mean(mask_[setting.mapping]);
}

double Shield::next_limit_ns(const Observation& now, int slot, double jobs) const {
  // Of a backlog of n, the one that runs may be nearly done: a job may take its even share of the
  // newest one's deadline.
  return static_cast<double>(now.app[slot].required.deadline_ns) / std::max(1.0, jobs);
}

bool Shield::next_misses(const Observation& now, int slot, const Action& action) const {
  const AppObservation& state = now.app[slot];
  if (!state.active || state.required.deadline_ns <= 0) return false;
  // Looked at when it was decided, and nothing is known since.
  if (!options_.guard_idle && state.backlog == 0 && state.finished == 0 &&
      action.app[slot] == state.setting)
    return false;
  // A necessary condition, so what fails it is known to miss. Clocks that are low because nothing
  // runs are no choice for the job to come: they are raised when it does.
  const double limit_ns = next_limit_ns(now, slot, static_cast<double>(state.backlog) - 1);
  const AppSetting& setting = action.app[slot];
  OppChoice opp = action.opp;
  if (clocks_come_later(now, slot)) opp = highest(now);
  const unsigned mask = mask_[setting.mapping];
  const App& app = *apps_.find(slot);
  const double alone_ns = app.next.ns(platform_, apps_.profile(slot), setting, opp);
  const double slow = app.slowdown.mean(mask) + options_.risk * app.slowdown.deviation(mask);
  return alone_ns * slow + switch_ns(platform_, state.setting, setting) > limit_ns;
}

bool Shield::used_by_other(const Observation& now, int slot, int cluster,
                           const Action& action) const {
  for (int a = 0; a < apps_.count(); ++a) {
    if (a == slot || !apps_.bound(a)) continue;
    const AppObservation& other = now.app[a];
    if (other.active && platform_.mappings[action.app[a].mapping].cores[cluster] > 0) return true;
    if (other.running.busy &&
        platform_.mappings[other.running.setting.mapping].cores[cluster] > 0) {
      return true;
    }
  }
  return false;
}

/// The cheapest candidate predicted to take at most `limit_ns`; null when there is none.
const Shield::Candidate* Shield::find_safe(const Observation& now, int slot, double limit_ns,
                                           const Slow& slow) const {
  const App& app = *apps_.find(slot);
  const AppProfile& profile = apps_.profile(slot);
  const AppSetting& from = now.app[slot].setting;
  const double floor_pct = profile.attainable_pct(now.app[slot].required.accuracy_floor_pct);
  const unsigned warm = mask_[from.mapping];
  const auto move_ns =
      static_cast<float>(platform_.migration_us * 1e3 + platform_.cold_cache_ms * 1e6);
  const auto level_ns = static_cast<float>(platform_.level_switch_us * 1e3);
  const float limit = static_cast<float>(limit_ns);
  float least_slow = std::numeric_limits<float>::infinity();
  for (std::size_t m = 0; m < mask_.size(); ++m) least_slow = std::min(least_slow, slow[m]);
  const auto is_safe = [&](const Candidate& candidate, float time_ns) {
    const std::uint8_t m = candidate.setting.mapping;
    const float switching = ((mask_[m] & ~warm) != 0 ? move_ns : 0) +
                            (candidate.setting.level != from.level ? level_ns : 0);
    if (time_ns * slow[m] + switching > limit) return false;
    for (int c = 0; c < now.cluster_count; ++c) {
      if (candidate.opp[c] > now.cluster[c].opp_cap) return false;
    }
    return true;
  };
  const Candidate* cheapest = nullptr;
  float least_mj = std::numeric_limits<float>::infinity();
  for (std::size_t l = 0; l < app.candidates.size(); ++l) {
    if (profile.levels[l].accuracy_pct < floor_pct) continue;
    const Candidates& of = app.candidates[l];
    for (std::size_t i = 0; i < of.candidate.size() && of.energy_mj[i] < least_mj; ++i) {
      if (i % Candidates::kBlock == 0 && of.block_ns[i / Candidates::kBlock] * least_slow > limit) {
        i += Candidates::kBlock - 1;
        continue;
      }
      if (!is_safe(of.candidate[i], of.time_ns[i])) continue;
      cheapest = &of.candidate[i];
      least_mj = of.energy_mj[i];
    }
  }
  return cheapest;
}

bool Shield::replace(const Observation& now, int slot, Action& action) const {
  const double limit_ns = next_limit_ns(now, slot, static_cast<double>(now.app[slot].backlog));
  const SlowdownEstimate& slowdown = apps_.find(slot)->slowdown;
  const Candidate* found = nullptr;
  for (const double deviations : {options_.safety, 0.0}) {
    if (found != nullptr) break;
    Slow slow;
    for (std::size_t m = 0; m < mask_.size(); ++m) {
      slow[m] =
          static_cast<float>(slowdown.mean(mask_[m]) + deviations * slowdown.deviation(mask_[m]));
    }
    found = find_safe(now, slot, limit_ns, slow);
  }
  if (found == nullptr) return false;
  const Action asked = action;
  place(now, slot, found->setting, found->opp, action);
  return !(action == asked);
}

/// Puts a configuration of the next job in the place of the one that was asked for.
void Shield::place(const Observation& now, int slot, const AppSetting& setting,
                   const OppChoice& opp, Action& action) const {
  const AppObservation& state = now.app[slot];
  const Mapping& left = platform_.mappings[action.app[slot].mapping];
  action.app[slot] = setting;
  if (clocks_come_later(now, slot)) return;
  for (int c = 0; c < now.cluster_count; ++c) {
    const bool in_use =
        used_by_other(now, slot, c, action) ||
        (state.running.busy && platform_.mappings[state.running.setting.mapping].cores[c] > 0);
    if (platform_.mappings[setting.mapping].cores[c] > 0)
      action.opp[c] = in_use ? std::max(action.opp[c], opp[c]) : opp[c];
    else if (left.cores[c] > 0 && !in_use)
      action.opp[c] = 0;  // nobody is left there
  }
}

/// Whether the clocks of a job that runs are lowered so far that it is known to miss: what is left of
/// it takes longer than there is time. Of one that runs longer than expected nothing is known.
bool Shield::running_misses(const Observation& now, int slot, const OppChoice& opp) const {
  const RunningJobObservation& run = now.app[slot].running;
  const Mapping& mapping = platform_.mappings[run.setting.mapping];
  bool lowered = false;
  for (int c = 0; c < now.cluster_count; ++c) {
    lowered = lowered || (mapping.cores[c] > 0 && opp[c] < now.cluster[c].opp);
  }
  if (!lowered || now.app[slot].required.deadline_ns <= 0) return false;
  const SlowdownEstimate& slowdown = apps_.find(slot)->slowdown;
  const unsigned mask = mask_[run.setting.mapping];
  const double slow = slowdown.mean(mask) + options_.risk * slowdown.deviation(mask);
  const AppProfile& profile = apps_.profile(slot);
  double left = 1;  // of the job
  if (now.now_ns > run.start_ns) {
    const std::optional<double> done =
        history_.jobs(platform_, profile, run.setting, run.start_ns, now.now_ns);
    if (!done || *done >= slow) return true;
    left -= *done / slow;
  }
  const double job_ns = slow * execution_ns(platform_, profile, mapping, run.setting.level, opp);
  return left * job_ns > static_cast<double>(run.deadline_ns - now.now_ns);
}

/// Raises the clocks of a job that runs to those that it has now, where they were to be lowered;
/// true when something was raised.
bool Shield::keep_pace(const Observation& now, int slot, Action& action) const {
  const RunningJobObservation& run = now.app[slot].running;
  bool raised = false;
  for (int c = 0; c < now.cluster_count; ++c) {
    if (platform_.mappings[run.setting.mapping].cores[c] == 0) continue;
    const std::uint8_t least = std::min(now.cluster[c].opp, now.cluster[c].opp_cap);
    if (action.opp[c] >= least) continue;
    action.opp[c] = least;
    raised = true;
  }
  return raised;
}

void Shield::take_over(const Observation& now, int slot, Action& action) const {
  const AppObservation& state = now.app[slot];
  const int level = apps_.profile(slot).level_for(state.required.accuracy_floor_pct);
  action.app[slot] = {apps_.find(slot)->fastest_mapping[static_cast<std::size_t>(level)],
                      static_cast<std::uint8_t>(level)};
  for (int c = 0; c < now.cluster_count; ++c) {
    const bool needed =
        platform_.mappings[action.app[slot].mapping].cores[c] > 0 ||
        (state.running.busy && platform_.mappings[state.running.setting.mapping].cores[c] > 0);
    if (!needed) continue;
    action.opp[c] = static_cast<std::uint8_t>(
        std::min<int>(platform_.clusters[c].max_opp(), now.cluster[c].opp_cap));
  }
}

void Shield::make_safe(const Observation& now, Action& action) const {
  for (int a = 0; a < apps_.count(); ++a) {
    if (guards(a)) take_over(now, a, action);
  }
  clamp(now, action);
}

bool Shield::in_control(int slot) const {
  const App* app = apps_.find(slot);
  return blind_epochs_ >= options_.sensor_epochs || (app != nullptr && app->taken_over);
}

void Shield::count_job(App& app, const JobRecord& job) {
  if (app.taken_over) ++app.held_jobs;
  // By what is believed, and was seen of its jobs since, it could not even where it would be put.
  const auto hopeless = [&] {
    const AppProfile& profile = apps_.profile(job.app);
    const OppChoice top = highest_opps(platform_);
    const auto given_ns = static_cast<double>(job.deadline_ns - job.release_ns);
    const double floor_pct = profile.attainable_pct(job.accuracy_floor_pct);
    for (std::size_t l = 0; l < profile.levels.size(); ++l) {
      // Half a step of the record's float must not matter.
      if (profile.levels[l].accuracy_pct < floor_pct - 1e-4) continue;
      const AppSetting put{static_cast<std::uint8_t>(app.fastest_mapping[l]),
                           static_cast<std::uint8_t>(l)};
      if (predicted_ns(job.app, put, top) <= given_ns) return false;
    }
    return true;
  };
  if (job.missed) {
    if (hopeless()) return;  // nobody's fault, and nothing would help
    app.on_time_in_row = 0;
    if (++app.misses_in_row >= options_.takeover_misses && !app.taken_over) {
      app.taken_over = true;
      app.held_jobs = 0;
    }
  } else {
    app.misses_in_row = 0;
    ++app.on_time_in_row;
  }
  if (!app.taken_over) return;
  if (app.on_time_in_row < options_.release_after && app.held_jobs < options_.hold_jobs) return;
  app.taken_over = false;
  app.misses_in_row = app.on_time_in_row = app.held_jobs = 0;
}

void Shield::learn(const Observation& outcome, const Action& applied) noexcept {
  if (!options_.guard) return;
  history_.note(outcome, applied.opp);
  if (options_.what_if) heat_.note(outcome);
  for (const JobRecord& job : outcome.jobs()) {
    App* app = job.app < apps_.count() ? apps_.find(job.app) : nullptr;
    if (app == nullptr || !guards(job.app)) continue;
    if (!job.dropped) app->slowdown.take(platform_, apps_.profile(job.app), history_, job);
    count_job(*app, job);
  }
  blind_epochs_ = outcome.sensors_ok ? 0 : blind_epochs_ + 1;
}

}  // namespace flyball
