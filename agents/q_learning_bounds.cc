// What a job of the Q-learner may take beside time: budgets of energy and power, a battery that has to
// last; and the level that an application gets that wants accuracy within them.

#include "agents/q_learning_bounds.h"

#include <limits>
#include <numeric>

#include "agents/q_learning.h"

namespace flyball {

namespace {

// Of how much energies were off lately: what is not known of a setting that was not tried.
constexpr double kUntriedCaution = 0.5, kMostCaution = 0.25;
constexpr double kDesireWeight = 0.125;  // of one job in what a level's monitors cost
constexpr float kDesireKept = 0.999f;    // by every job of another level

}  // namespace

std::vector<std::uint8_t> accuracy_ladder(const AppProfile& profile) {
  std::vector<std::uint8_t> order(profile.levels.size());
  std::iota(order.begin(), order.end(), std::uint8_t{0});
  const auto level = [&](std::uint8_t l) -> const LevelProfile& { return profile.levels[l]; };
  std::stable_sort(order.begin(), order.end(), [&](std::uint8_t a, std::uint8_t b) {
    if (level(a).time_factor != level(b).time_factor)
      return level(a).time_factor < level(b).time_factor;
    return level(a).accuracy_pct > level(b).accuracy_pct;
  });
  std::vector<std::uint8_t> ladder;
  for (const std::uint8_t l : order) {
    if (ladder.empty() || level(l).accuracy_pct > level(ladder.back()).accuracy_pct)
      ladder.push_back(l);
  }
  return ladder;
}

Allowance QLearning::allowance(const Observation& now, int slot) const {
  const Requirements& required = now.app[slot].required;
  Allowance allowed;
  allowed.idle_mw = idle_mw_;
  if (required.energy_budget_mj > 0) allowed.job_mj = required.energy_budget_mj;
  allowed.power_mw = power_budget_mw_;
  // Who wants as little energy as can be takes no less for a battery that runs out.
  if (now.sustainable_mw > 0 && required.objective != Objective::kEnergy) {
    double left_mw = now.sustainable_mw - idle_mw_;
    for (int a = 0; a < apps_.count(); ++a) {
      const App* other = apps_.find(a);
      if (other != nullptr && a != slot) left_mw -= other->extra_mw;
    }
    allowed.extra_mj =
        std::max(0.0, left_mw) * release_gap_ns(required, apps_.find(slot)->jobs) * 1e-9;
  }
  return allowed;
}

double QLearning::energy_ratio(const App& app, int mapping, int level, bool cautious) const {
  const float own =
      app.ratio[static_cast<std::size_t>(mapping * app.profile->level_count() + level)];
  if (own > 0) return static_cast<double>(own);
  const double caution = cautious ? std::min(kMostCaution, kUntriedCaution * app.energy_off) : 0;
  return app.energy_ratio * (1 + caution);
}

bool QLearning::level_fits(const Observation& now, int slot, int level, double use) {
  App& app = *apps_.find(slot);
  if (!app.profile->reaches(level, now.app[slot].required.accuracy_floor_pct)) return false;
  const int before = app.level;
  app.level = level;
  app.profile->follow(board_.version(), level, app.mapping);
  bool any_safe = false;
  slow_priors(now, slot, assess(now, slot, Job::kNext), kWorstCases[0], use, next_priors_,
              any_safe);
  app.level = before;
  return any_safe;
}

void QLearning::choose_level(const Observation& now, int slot) {
  App& app = *apps_.find(slot);
  const int last = static_cast<int>(app.ladder.size()) - 1;
  int lowest = 0, at = 0;
  while (lowest < last && !app.profile->reaches(app.ladder[static_cast<std::size_t>(lowest)],
                                                now.app[slot].required.accuracy_floor_pct)) {
    ++lowest;
  }
  while (at < last && app.ladder[static_cast<std::size_t>(at)] != app.level) ++at;
  at = std::max(at, lowest);
  const auto fits = [&](int rung) {
    return level_fits(now, slot, app.ladder[static_cast<std::size_t>(rung)], kBudgetUse);
  };
  // The more accurate the dearer, so it is near the one in force unless much has changed.
  if (fits(at)) {
    while (at < last && fits(at + 1)) ++at;
  } else {
    while (at > lowest && !fits(--at)) {
    }
  }
  app.level = app.ladder[static_cast<std::size_t>(at)];
}

void QLearning::learn_desire(App& app, const JobRecord& job, const AppObservation& seen) {
  app.is_undesired = app.is_undesired || seen.undesired > 0;
  if (!app.is_undesired || seen.finished == 0) return;
  const double cost = seen.undesired / seen.finished;
  for (std::size_t l = 0; l < app.undesired.size(); ++l) {
    // What was not desired a thousand jobs ago may be again.
    if (l != job.setting.level) app.undesired[l] *= kDesireKept;
  }
  float& mean = app.undesired[job.setting.level];
  mean += static_cast<float>(kDesireWeight * (cost - static_cast<double>(mean)));
}

int QLearning::desired_level(const App& app, const Observation& now, int slot) const {
  const Requirements& required = now.app[slot].required;
  const int quickest = app.profile->level_for(required.accuracy_floor_pct);
  if (!app.is_undesired) return quickest;
  const double per_mj = energy_weight(now.energy_preference, required) / weights_.ref_energy_mj;
  int best = quickest;
  double least = std::numeric_limits<double>::infinity();
  const auto consider = [&](int level) {
    double energy_mj = std::numeric_limits<double>::infinity();
    for (int m = 0; m < app.profile->mapping_count(); ++m) {
      const auto frontier = app.profile->frontier(m, level);
      if (!frontier.empty()) energy_mj = std::min(energy_mj, frontier.back().energy_mj);
    }
    const double cost =
        per_mj * energy_mj + static_cast<double>(app.undesired[static_cast<std::size_t>(level)]);
    if (cost < least) {
      least = cost;
      best = level;
    }
  };
  consider(quickest);
  for (const std::uint8_t level : app.ladder) {
    if (app.profile->accuracy_pct(level) > app.profile->accuracy_pct(quickest)) consider(level);
  }
  return best;
}

int QLearning::permitted_point(const Observation& now, int slot, int within) const {
  const Allowance whole = allowance(now, slot).part(kBudgetUse);
  const Requirements& required = now.app[slot].required;
  if (within < 0 || (!whole.bounded() && required.objective != Objective::kLatency)) return within;
  const App& app = *apps_.find(slot);
  const AppSetting& setting = now.app[slot].running.setting;
  const auto frontier = app.profile->frontier(setting.mapping, setting.level);
  OppChoice cap{};
  for (int c = 0; c < now.cluster_count; ++c) cap[c] = now.cluster[c].opp_cap;
  // Of the job's budgets what is left, for what is left of it; seldom is it none of either.
  constexpr double kLeast = 1e-6;
  const double left = std::max(0.05, app.jobs.work(0) - app.jobs.progress());
  Allowance rest = whole;
  const double spent_mj = app.running == now.app[slot].running.sequence ? app.spent_mj : 0;
  const double idled_mj =
      idle_mw_ * static_cast<double>(now.now_ns - now.app[slot].running.start_ns) * 1e-9;
  rest.job_mj = std::max(kLeast, whole.job_mj - spent_mj);
  rest.extra_mj = std::max(kLeast, whole.extra_mj - std::max(0.0, spent_mj - idled_mj));
  const Allowance allowed = rest.of_jobs(left * app.jobs.slowdown(setting.mapping),
                                         energy_ratio(app, setting.mapping, setting.level, false));
  const auto as_planned = [](const ProfilePoint&) { return 1.0; };
  return required.objective == Objective::kLatency
             ? quickest_permitted(frontier, within, cap, allowed, as_planned).index
             : slowest_permitted(frontier, within, cap, allowed, as_planned).index;
}

}  // namespace flyball
