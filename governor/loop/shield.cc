#include "governor/loop/shield.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "governor/loop/job_cost.h"

namespace flyball {

Shield::Shield(const PlatformSpec& platform, const Scenario& scenario, Options options)
    : platform_(platform),
      scenario_(scenario),
      options_(options),
      apps_(scenario.apps.size()),
      slowdown_(platform) {
  for (std::size_t a = 0; a < apps_.size(); ++a) build(static_cast<int>(a));
}

void Shield::build(int app) {
  AppTable& table = apps_[app];
  const AppProfile& profile = platform_.apps[scenario_.apps[app].profile];
  table.profile = &profile;
  slowdown_.set_profile(app, profile.plain_load ? nullptr : &profile);

  bool found = false;
  for (std::size_t m = 0; m < platform_.mappings.size(); ++m) {
    table.supported[m] = runs_on(profile, platform_.mappings[m]);
    table.cluster_mask[m] = static_cast<std::uint8_t>(cluster_mask(platform_.mappings[m]));
    if (table.supported[m] && !found) {
      table.fallback_mapping = static_cast<int>(m);
      found = true;
    }
  }
  table.fastest_mapping.fill(static_cast<std::uint8_t>(table.fallback_mapping));
  if (!options_.guard || profile.plain_load) return;

  const Requirements& required = scenario_.apps[app].required;
  const double deadline_ns = static_cast<double>(required.deadline_ns);
  std::vector<Candidate> all;
  std::vector<double> time_ns, energy_mj;
  std::array<double, kMaxLevels> best_ns{};
  for (std::size_t m = 0; m < platform_.mappings.size(); ++m) {
    if (!table.supported[m]) continue;
    const Mapping& mapping = platform_.mappings[m];
    int rungs = 1;
    for (std::size_t c = 0; c < platform_.clusters.size(); ++c)
      if (mapping.cores[c] > 0) rungs = std::max(rungs, platform_.clusters[c].max_opp() + 1);
    for (std::size_t w = 0; w < profile.levels.size(); ++w) {
      const int width = static_cast<int>(w);
      for (int rung = 0; rung < rungs; ++rung) {
        Candidate candidate;
        candidate.setting = {static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(w)};
        for (std::size_t c = 0; c < platform_.clusters.size(); ++c) {
          if (mapping.cores[c] == 0) continue;
          const int top = platform_.clusters[c].max_opp();
          candidate.opp[c] = static_cast<std::uint8_t>(rungs > 1 ? rung * top / (rungs - 1) : top);
        }
        const double alone_ns = execution_ns(platform_, profile, mapping, width, candidate.opp);
        all.push_back(candidate);
        time_ns.push_back(alone_ns);
        energy_mj.push_back(ranking_energy_mj(platform_, profile, mapping, width, candidate.opp,
                                              alone_ns, deadline_ns));
        if (rung == rungs - 1 && (best_ns[w] == 0 || alone_ns < best_ns[w])) {
          best_ns[w] = alone_ns;
          table.fastest_mapping[w] = static_cast<std::uint8_t>(m);
        }
      }
    }
  }
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return energy_mj[a] < energy_mj[b]; });
  for (const std::size_t i : order) {
    table.candidates.push_back(all[i]);
    table.time_ns.push_back(static_cast<float>(time_ns[i]));
  }
}

Shield::Verdict Shield::check(const Observation& now, Action& action) {
  const bool clamped = clamp(now, action);
  if (!options_.guard) return clamped ? Verdict::kClamped : Verdict::kPassed;
  if (taken_over_) {
    take_over(now, action);
    return Verdict::kTakenOver;
  }
  bool replaced = false;
  for (int a = 0; a < static_cast<int>(apps_.size()); ++a)
    if (misses(now, a, action)) replaced = replace(now, a, action) || replaced;
  if (replaced) return Verdict::kReplaced;
  return clamped ? Verdict::kClamped : Verdict::kPassed;
}

bool Shield::clamp(const Observation& now, Action& action) const {
  const Action asked = action;
  for (int c = 0; c < kMaxClusters; ++c) {
    if (c >= static_cast<int>(platform_.clusters.size())) {
      action.opp[c] = 0;
      continue;
    }
    int top = platform_.clusters[c].max_opp();
    if (c < now.cluster_count) top = std::min<int>(top, now.cluster[c].opp_cap);
    action.opp[c] = static_cast<std::uint8_t>(std::min<int>(action.opp[c], top));
  }
  for (int a = 0; a < kMaxApps; ++a) {
    AppSetting& setting = action.app[a];
    if (a >= static_cast<int>(apps_.size())) {
      setting = {};
      continue;
    }
    const AppTable& table = apps_[a];
    if (setting.mapping >= platform_.mappings.size() || !table.supported[setting.mapping])
      setting.mapping = static_cast<std::uint8_t>(table.fallback_mapping);
    const int widest = static_cast<int>(table.profile->levels.size()) - 1;
    setting.level = static_cast<std::uint8_t>(std::min<int>(setting.level, widest));
  }
  return !(action == asked);
}

double Shield::predicted_ns(int app, const AppSetting& setting, const OppChoice& opp) const {
  const AppTable& table = apps_[app];
  return execution_ns(platform_, *table.profile, platform_.mappings[setting.mapping], setting.level,
                      opp) *
         slowdown_.mean(app, table.cluster_mask[setting.mapping]);
}

bool Shield::misses(const Observation& now, int app, const Action& action) const {
  const AppObservation& state = now.app[app];
  if (!state.active || apps_[app].profile->plain_load || state.required.deadline_ns <= 0)
    return false;
  if (state.backlog == 0 && !options_.guard_idle) return false;
  // Of a backlog of n, the first may be nearly done: the other n - 1 must fit into the newest one's
  // deadline. A necessary condition, so what fails it is known to miss.
  const double waiting = std::max<double>(1, static_cast<double>(state.backlog) - 1);
  const double limit_ns = static_cast<double>(state.required.deadline_ns) / waiting;
  const AppSetting& setting = action.app[app];
  const unsigned mask = apps_[app].cluster_mask[setting.mapping];
  const double alone_ns =
      execution_ns(platform_, *apps_[app].profile, platform_.mappings[setting.mapping],
                   setting.level, action.opp);
  const double slow = slowdown_.mean(app, mask) + options_.risk * slowdown_.deviation(app, mask);
  return alone_ns * slow + switch_ns(platform_, state.setting, setting) > limit_ns;
}

bool Shield::used_by_other(const Observation& now, int app, int cluster,
                           const Action& action) const {
  for (int a = 0; a < static_cast<int>(apps_.size()); ++a)
    if (a != app && now.app[a].active &&
        platform_.mappings[action.app[a].mapping].cores[cluster] > 0)
      return true;
  return false;
}

/// The cheapest candidate predicted to take at most `limit_ns`, -1 when there is none.
int Shield::find_safe(const Observation& now, int app, double limit_ns, double deviations) const {
  const AppTable& table = apps_[app];
  const std::size_t widths = table.profile->levels.size();
  std::array<float, kMaxMappings> slow{};
  std::array<std::array<float, kMaxLevels>, kMaxMappings> move;
  const double floor_pct = table.profile->attainable_pct(now.app[app].required.accuracy_floor_pct);
  std::array<bool, kMaxLevels> accurate{};
  for (std::size_t w = 0; w < widths; ++w)
    accurate[w] = table.profile->levels[w].accuracy_pct >= floor_pct;
  for (std::size_t m = 0; m < platform_.mappings.size(); ++m) {
    const unsigned mask = table.cluster_mask[m];
    slow[m] =
        static_cast<float>(slowdown_.mean(app, mask) + deviations * slowdown_.deviation(app, mask));
    for (std::size_t w = 0; w < widths; ++w) {
      const AppSetting after = {static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(w)};
      move[m][w] = static_cast<float>(switch_ns(platform_, now.app[app].setting, after));
    }
  }
  const float limit = static_cast<float>(limit_ns);
  for (std::size_t i = 0; i < table.candidates.size(); ++i) {
    const Candidate& candidate = table.candidates[i];
    const int m = candidate.setting.mapping;
    if (!accurate[candidate.setting.level]) continue;
    if (table.time_ns[i] * slow[m] + move[m][candidate.setting.level] > limit) continue;
    bool capped = false;
    for (int c = 0; c < now.cluster_count; ++c)
      capped = capped || candidate.opp[c] > now.cluster[c].opp_cap;
    if (!capped) return static_cast<int>(i);
  }
  return -1;
}

bool Shield::replace(const Observation& now, int app, Action& action) const {
  const AppObservation& state = now.app[app];
  const double limit_ns = static_cast<double>(state.required.deadline_ns) /
                          std::max<double>(1, static_cast<double>(state.backlog));
  int found = find_safe(now, app, limit_ns, options_.safety);
  if (found < 0) found = find_safe(now, app, limit_ns, 0);
  if (found < 0) return false;

  const Candidate& candidate = apps_[app].candidates[found];
  const Action asked = action;
  const Mapping& left = platform_.mappings[action.app[app].mapping];
  action.app[app] = candidate.setting;
  for (int c = 0; c < now.cluster_count; ++c) {
    const bool shared = used_by_other(now, app, c, action);
    if (platform_.mappings[candidate.setting.mapping].cores[c] > 0)
      action.opp[c] = shared ? std::max(action.opp[c], candidate.opp[c]) : candidate.opp[c];
    else if (left.cores[c] > 0 && !shared)
      action.opp[c] = 0;  // nobody is left there
  }
  return !(action == asked);
}

void Shield::take_over(const Observation& now, Action& action) const {
  std::array<bool, kMaxClusters> needed{};
  for (int a = 0; a < static_cast<int>(apps_.size()); ++a) {
    const AppObservation& state = now.app[a];
    if (!state.active || apps_[a].profile->plain_load) continue;
    const int width = apps_[a].profile->level_for(state.required.accuracy_floor_pct);
    action.app[a] = {apps_[a].fastest_mapping[width], static_cast<std::uint8_t>(width)};
    for (int c = 0; c < now.cluster_count; ++c)
      needed[c] = needed[c] || platform_.mappings[action.app[a].mapping].cores[c] > 0;
  }
  for (int c = 0; c < now.cluster_count; ++c)
    action.opp[c] = needed[c] ? static_cast<std::uint8_t>(std::min<int>(
                                    platform_.clusters[c].max_opp(), now.cluster[c].opp_cap))
                              : 0;
}

void Shield::count_job(const JobRecord& job) {
  if (job.app >= apps_.size()) return;
  if (taken_over_) ++held_jobs_;
  if (job.missed && job.infeasible) return;  // nobody's fault, and nothing would help
  if (job.missed) {
    on_time_in_row_ = 0;
    if (++misses_in_row_[job.app] >= options_.takeover_misses && !taken_over_) {
      taken_over_ = true;
      held_jobs_ = 0;
    }
  } else {
    misses_in_row_[job.app] = 0;
    ++on_time_in_row_;
  }
}

void Shield::learn(const Observation& outcome, const Action& applied) {
  if (!options_.guard) return;
  slowdown_.learn(outcome, applied);
  for (const JobRecord& job : outcome.jobs()) count_job(job);
  blind_epochs_ = outcome.sensors_ok ? 0 : blind_epochs_ + 1;
  const bool blind = blind_epochs_ >= options_.sensor_epochs;
  if (blind && !taken_over_) {
    taken_over_ = true;
    on_time_in_row_ = held_jobs_ = 0;
  }
  if (!taken_over_ || blind) return;
  if (on_time_in_row_ >= options_.release_after || held_jobs_ >= options_.hold_jobs) {
    taken_over_ = false;
    misses_in_row_ = {};
    on_time_in_row_ = held_jobs_ = 0;
  }
}

}  // namespace flyball
