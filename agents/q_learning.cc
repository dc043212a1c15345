#include "agents/q_learning.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "agents/q_learning_bounds.h"
#include "env/model/idle_states.h"
#include "kernels/base/normal_tail.h"

namespace flyball {

namespace {

constexpr std::uint64_t kRandomStream = 0x61676e74;  // the platforms draw from others

// As the tracker's of work: the last few jobs count, and how far they were off for longer.
constexpr double kEnergyWeight = 0.25, kOffWeight = 0.1;

constexpr int kTrialDecisions = 6;    // three jobs, of which the first tells little
constexpr double kHorizonJobs = 120;  // that a gain is counted for
constexpr double kTrialCost = 6;      // three jobs, and as much again for what may go wrong
constexpr double kLeastGain = 0.5;    // jobs
constexpr double kPowerSpread = 0.1;  // of a job's energy, where nobody says how sure the belief is
constexpr double kSafeTrial = 1.5;    // deviations of a time that is not known well
constexpr std::uint64_t kLookEvery = 32;  // jobs, while the belief stays as it is

constexpr double kWakeUpNs =
    100e3;  // from a job's end until the clocks are down: a wake-up and a transition

double slowest_transition_ns(const PlatformSpec& platform) {
  double slowest_us = 0;
  for (const ClusterSpec& cluster : platform.clusters) {
    slowest_us = std::max(slowest_us, cluster.transition_latency_us);
  }
  return slowest_us * 1e3;
}

/// So many jobs more until a late sensor shows a trial and not what was before: the first takes most of
/// its period.
int late_jobs(const Requirements& required, const JobTracker& jobs) {
  constexpr double kLateNs = PowerEstimate::kLateMs * 1e6, kFirstShare = 0.6;
  constexpr int kMost = 4;
  const double gap_ns = release_gap_ns(required, jobs);
  if (!(gap_ns > 0) || kFirstShare * gap_ns >= kLateNs) return 0;
  return static_cast<int>(std::min<double>(kMost, std::ceil(kLateNs / gap_ns - kFirstShare)));
}

int best_of(std::span<const DoubleQ::Prior> prior, double energy_weight) {
  int best = -1;
  double most = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < prior.size(); ++i) {
    const double value = prior[i].value.weighed(energy_weight);
    if (!prior[i].masked && value > most) most = value, best = static_cast<int>(i);
  }
  return best;
}

}  // namespace

QLearning::App::App(std::shared_ptr<PlanTable> costs, JobTracker tracker, int known_profile,
                    Learned& learned_of_it)
    : known(known_profile),
      profile(std::move(costs)),
      jobs(std::move(tracker)),
      learned(&learned_of_it) {
  next_chances.reserve(static_cast<std::size_t>(profile->mapping_count()));
  ratio.resize(static_cast<std::size_t>(profile->mapping_count() * profile->level_count()));
  undesired.resize(static_cast<std::size_t>(profile->level_count()));
  margin_chances.reserve(kMargins.size());
}

QLearning::QLearning(const AgentContext& context, Kind kind)
    : kind_(kind),
      board_(context.belief),
      belief_(board_.belief()),
      platform_(belief_.mean),
      weights_(context.weights),
      rng_(context.seed, kRandomStream),
      latency_ns_(platform_.decision_latency_us * 1e3 + slowest_transition_ns(platform_)),
      apps_(belief_),
      profiles_(platform_.apps.size() * (has_idle_states(platform_) ? kMaxApps : 1)),
      forecasts_(platform_.apps.size()),
      weighs_gaps_(has_idle_states(platform_)) {
  known_.fill(-1);
  if (kind_ == Kind::kArms) {
    board_.learn_times_only();
    arm_room_.reserve(platform_.mappings.size());
    chance_room_.resize(platform_.mappings.size());
  }
  for (const Mapping& mapping : platform_.mappings) {
    mask_.push_back(static_cast<std::uint8_t>(cluster_mask(mapping)));
  }
}

QLearning::Learned& QLearning::learned_of(const std::string& profile, std::uint64_t hash) {
  std::unique_ptr<Learned>& learned = learned_[profile];
  if (learned == nullptr) {
    learned = std::make_unique<Learned>(static_cast<int>(platform_.mappings.size()), hash);
    learned->arms = make_arms();
  }
  return *learned;
}

TimeEstimate* QLearning::times_of(int known) {
  return known < 0 || kind_ == Kind::kModel ? nullptr : board_.times(known);
}

std::shared_ptr<PlanTable> QLearning::profile_of(const AppTable<App>::Slot& place, int slot,
                                                 const Requirements& required) {
  const auto gap_ns = static_cast<double>(required.period_ns);
  if (place.known < 0) {
    return std::make_shared<PlanTable>(platform_, *place.profile, kWakeUpNs, nullptr, gap_ns);
  }
  const auto at =
      static_cast<std::size_t>(weighs_gaps_ ? place.known * kMaxApps + slot : place.known);
  std::shared_ptr<PlanTable>& profile = profiles_[at];
  if (profile == nullptr) {
    profile = std::make_shared<PlanTable>(platform_, *place.profile, kWakeUpNs,
                                          times_of(place.known), gap_ns);
  }
  return profile;
}

void QLearning::bind(int slot, const Binding& binding, const Observation& now) {
  auto& place = apps_.bind(slot, binding, now);
  const bool known = place.known >= 0;
  known_[static_cast<std::size_t>(slot)] = static_cast<std::int16_t>(place.known);
  place.own.emplace(profile_of(place, slot, now.app[slot].required),
                    JobTracker(platform_, *place.profile, slot, known, times_of(place.known)),
                    place.known,
                    learned_of(binding.profile, known ? place.profile->content_hash : 0));
  place.own->energy_off = platform_.power_spread.value_or(kPowerSpread) / 1.25;
  place.own->forecasts.time = ForecastErrors(1.25 * place.own->jobs.deviation());
  place.own->forecasts.energy = ForecastErrors(platform_.power_spread.value_or(kPowerSpread));
  place.own->ladder = accuracy_ladder(*place.profile);
  idle_mw_ = place.own->profile->idle_mw();
}

void QLearning::unbind(int slot) {
  if (App* app = apps_.find(slot)) finish(*app);
  apps_.unbind(slot);
  known_[static_cast<std::size_t>(slot)] = -1;
}

void QLearning::begin_run() {
  apps_.clear();
  known_.fill(-1);
  board_.begin_run();
  std::ranges::fill(forecasts_, ForecastRecord());
}

/// What is still open ends here: nothing follows it. Costs after the last job are those of the next
/// one, which does not come.
void QLearning::finish(App& app) {
  if (app.cost.energy != 0 || app.cost.penalty != 0) {
    const Open& slow = app.slow.valid ? app.slow : app.next_slow;
    app.closed_slow.take(app.closed_slow.pending ? Open{} : slow, app.cost);
    app.closed_fast.take(app.closed_fast.pending ? Open{} : app.fast, app.cost);
  }
  close(*app.learned, app.learned->slow, app.closed_slow, 0, {}, 1);
  close(*app.learned, app.learned->fast, app.closed_fast, 0, {}, 1);
  app.cost = {};
  app.slow = app.fast = app.next_slow = {};
}

void QLearning::end_run() {
  for (int a = 0; a < apps_.count(); ++a) {
    if (App* app = apps_.find(a)) finish(*app);
  }
}

double QLearning::epsilon(const Learned& learned) const {
  if (!learning_ || kind_ != Kind::kTables) return 0;
  const double done = static_cast<double>(learned.jobs);
  return kEpsilonFloor + (kEpsilonStart - kEpsilonFloor) * kEpsilonJobs / (kEpsilonJobs + done);
}

/// A decision every eighth of the shortest deadline catches a job that runs long with time to
/// spare; more often than every 2 ms would cost more than it saves.
void QLearning::find_interval(const Observation& now) {
  std::int64_t shortest = 400'000'000;
  for (int a = 0; a < apps_.count(); ++a) {
    const std::int64_t deadline_ns = now.app[a].required.deadline_ns;
    if (apps_.bound(a) && deadline_ns > 0) shortest = std::min(shortest, deadline_ns);
  }
  interval_ns_ = std::clamp<std::int64_t>(shortest / 8, 2'000'000, 50'000'000);
}

/// Epsilon-greedy. `chances`: what may come of it, nothing when only one thing can.
int QLearning::draw(std::span<const DoubleQ::Prior> prior, double energy_weight, double epsilon,
                    int greedy, std::vector<Chance>& chances, bool& explored) {
  explored = false;
  chances.clear();
  if (epsilon <= 0) return greedy;
  double best = -std::numeric_limits<double>::max();
  for (const DoubleQ::Prior& p : prior) {
    if (!p.masked) best = std::max(best, p.value.weighed(energy_weight));
  }
  // A prior is worth 1 / (1 - discount) jobs.
  const double least = best - std::abs(best) * kExploreCost * (1 - kTable.discount);
  const auto good = [&](const DoubleQ::Prior& p) {
    return !p.masked && p.value.weighed(energy_weight) >= least;
  };
  const auto candidates =
      static_cast<std::uint32_t>(std::count_if(prior.begin(), prior.end(), good));
  explored = rng_.uniform() < epsilon;
  std::uint32_t pick = rng_.below(candidates);
  int chosen = greedy;
  for (std::size_t i = 0; i < prior.size(); ++i) {
    const bool is_good = good(prior[i]), is_greedy = static_cast<int>(i) == greedy;
    if (explored && is_good && pick-- == 0) chosen = static_cast<int>(i);
    if (!is_good && !is_greedy) continue;
    chances.push_back({static_cast<int>(i),
                       (is_good ? epsilon / candidates : 0) + (is_greedy ? 1 - epsilon : 0)});
  }
  if (chances.size() == 1) chances.clear();
  return chosen;
}

double QLearning::probability_of(const std::vector<Chance>& chances, int choice) {
  for (const Chance& chance : chances) {
    if (chance.choice == choice) return chance.probability;
  }
  return 1;
}

void QLearning::close(Learned& learned, DoubleQ& table, Closed& closed, int next_state,
                      std::span<const DoubleQ::Prior> next, double energy_weight) {
  if (!closed.pending) return;
  closed.pending = false;
  if (!learning_ || kind_ != Kind::kTables || !closed.open.valid) return;
  learned.fresh = false;
  table.update((rng_.next() >> 63) != 0, closed.open.state, closed.open.action, closed.open.prior,
               closed.cost, next_state, next, energy_weight);
}

void QLearning::choose_next(const Observation& now, int slot, Decision& out) {
  App& app = *apps_.find(slot);
  const AppObservation& seen = now.app[slot];
  const bool asked_anew = app.mapping < 0 || !(app.required == seen.required);
  const int level_before = app.level;
  if (seen.required.objective != Objective::kAccuracy) {
    app.level = desired_level(app, now, slot);
  } else if (asked_anew || app.held_jobs >= kHoldJobs || !level_fits(now, slot, app.level, 1)) {
    choose_level(now, slot);
  }
  if (weighs_gaps_) app.profile->expect_gap(release_gap_ns(seen.required, app.jobs));
  app.profile->follow(board_.version(), app.level, app.mapping);
  const Situation s = assess(now, slot, Job::kNext);
  // Tables hold energies, and what is tried may cost more of it than is allowed.
  const bool latency = s.objective == Objective::kLatency;
  const bool by_belief = latency || s.allowed.bounded();
  SlowPriors& store = next_priors_;
  bool any_safe = false;
  const std::span<const DoubleQ::Prior> slow(
      store.data(), static_cast<std::size_t>(app.profile->mapping_count()));
  DoubleQ& table = app.learned->slow;
  int greedy = -1;
  do {
    any_safe = false;
    for (const double use : {kBudgetUse, 1.0, 0.0}) {
      if (any_safe || (use > 0 && !s.allowed.bounded())) continue;
      for (std::size_t i = 0; i < kWorstCases.size() && !any_safe; ++i) {
        app.worst_case = kWorstCases[i];
        slow_priors(now, slot, s, app.worst_case, use, store, any_safe);
      }
    }
    // What the tables have found is energy that others left out of account, not time.
    greedy = by_belief ? best_of(slow, s.energy_weight)
                       : table.best(s.slow_state, slow, s.energy_weight);
    // Of an old plan the best may only be the last that was not corrected yet.
  } while (greedy >= 0 && app.profile->follow_one(board_.version(), app.level, greedy));
  close(*app.learned, table, app.closed_slow, s.slow_state, slow, s.energy_weight);
  const bool kept_ok = app.mapping >= 0 && !slow[static_cast<std::size_t>(app.mapping)].masked;
  const bool hold = kept_ok && any_safe && app.held_jobs < kHoldJobs && app.next_slow.valid &&
                    app.next_slow.state == s.slow_state && !asked_anew && app.level == level_before;
  bool explored = false;
  if (kind_ == Kind::kArms) {
    if (!by_belief) {
      app.mapping = choose_arm(now, slot, s, slow, greedy, hold, out, explored);
    } else {
      // Who learns what energy a job costs knows neither of budgets nor of latency.
      app.next_arm.valid = false;
      app.next_chances.clear();
      if (!hold) app.mapping = app.best_mapping = std::max(0, greedy);
    }
    app.held_jobs = hold ? app.held_jobs + 1 : explored ? kHoldJobs - kTrialDecisions : 1;
  } else if (hold) {
    ++app.held_jobs;
  } else if (const int trial = any_safe && !by_belief && kind_ != Kind::kModel && learning_
                                   ? worth_a_trial(now, slot, slow, greedy)
                                   : -1;
             trial >= 0) {
    app.mapping = trial;
    app.best_mapping = std::max(0, greedy);
    app.next_chances.clear();
    explored = true;
    app.held_jobs = kHoldJobs - kTrialDecisions - 2 * late_jobs(seen.required, app.jobs);
  } else {
    // Where the belief learns, what is worth a trial has had it: at random only what it overlooks.
    const double share = app.profile->learns() ? kBelievedEpsilon : 1;
    app.mapping =
        draw(slow, s.energy_weight, any_safe && !by_belief ? share * epsilon(*app.learned) : 0,
             std::max(0, greedy), app.next_chances, explored);
    app.best_mapping = std::max(0, greedy);
    app.held_jobs = explored ? kHoldJobs - 1 : 1;  // a trial is two jobs long
  }
  const DoubleQ::Prior& prior = slow[static_cast<std::size_t>(app.mapping)];
  app.next_slow = {any_safe && !latency, s.slow_state, app.mapping, prior.value};
  app.required = seen.required;

  out.fresh = out.fresh || !hold;
  out.probability *= static_cast<float>(probability_of(app.next_chances, app.mapping));
  out.reason = {explored ? Reason::Code::kExplored : Reason::Code::kChosen,
                static_cast<std::uint8_t>(slot),
                {static_cast<float>(100 * (1 - 1 / std::max(0.1, s.pressure))),
                 static_cast<float>(1 / std::max(0.1, s.pressure)),
                 static_cast<float>(seen.required.accuracy_floor_pct)}};
  out.value = static_cast<float>(
      prior.masked ? -s.miss_cost
                   : table.value(s.slow_state, app.mapping, prior.value).weighed(s.energy_weight));
  if (hold) return;
  const int second = table.second(s.slow_state, slow, s.energy_weight, app.mapping);
  if (second < 0) return;
  out.has_runner_up = true;
  out.runner_up = {static_cast<std::uint8_t>(second), static_cast<std::uint8_t>(app.level)};
  out.runner_up_energy_mj = static_cast<float>(-(1 - kTable.discount) *
                                               slow[static_cast<std::size_t>(second)].value.energy *
                                               weights_.ref_energy_mj);
}

int QLearning::worth_a_trial(const Observation& now, int slot,
                             std::span<const DoubleQ::Prior> prior, int greedy) {
  App& app = *apps_.find(slot);
  if (app.known < 0 || greedy < 0 || board_.power().stuck()) return -1;
  if (app.surprises != board_.power().surprises()) {
    app.surprises = board_.power().surprises();
    app.trials.fill(0);
    app.debt = 0;
  }
  if (app.settled_version == board_.version() + 1 &&
      app.learned->jobs < app.settled_jobs + kLookEvery) {
    return -1;
  }
  const double worst = app.jobs.work(kWorstCases[0]);
  const double limit_ns = this->limit_ns(now, slot, Job::kNext, worst);
  const double nominal_ns = this->limit_ns(now, slot, Job::kNext, app.jobs.work(1.5));
  OppChoice cap{};
  for (int c = 0; c < now.cluster_count; ++c) cap[c] = now.cluster[c].opp_cap;
  PowerEstimate::Parts best{};
  double best_mj = 0;
  const auto look = [&](int m, PowerEstimate::Parts& parts) {
    const auto frontier = app.profile->frontier(m, app.level);
    const double slow = app.jobs.slowdown(m);
    const int i = cheapest_within(frontier, nominal_ns / slow, cap);
    const ProfilePoint& planned = frontier[static_cast<std::size_t>(i)];
    const ProfilePoint& top = frontier[static_cast<std::size_t>(cheapest_within(frontier, 0, cap))];
    const double longer = hurried(planned, top, slow, limit_ns * worst, app.jobs.work(0), worst);
    parts = board_.parts(app.known, m, app.level, planned.opp);
    for (double& part : parts) part *= app.jobs.work(0) * slow * longer;
    return board_.power().energy_mj(parts);
  };
  best_mj = look(greedy, best);
  int chosen = -1;
  app.debt =
      std::max(0.0, app.debt - kForgiven * static_cast<double>(app.learned->jobs - app.debt_jobs));
  app.debt_jobs = app.learned->jobs;
  if (app.tried >= 0 && app.profile->supports(app.tried)) {
    // What it cost is known better now than before.
    PowerEstimate::Parts parts{};
    app.debt += kTrialJobs * std::max(0.0, look(app.tried, parts) / best_mj - 1);
  }
  app.tried = -1;
  double most = kLeastGain * best_mj;
  for (int m = 0; m < app.profile->mapping_count(); ++m) {
    if (m == greedy || prior[static_cast<std::size_t>(m)].masked) continue;
    const auto frontier = app.profile->frontier(m, app.level);
    if (frontier.front().time_ns * app.jobs.slowdown(m) *
            (1 + kSafeTrial * app.profile->unsure(m, app.level)) >
        limit_ns)
      continue;
    PowerEstimate::Parts parts{};
    const double energy_mj = look(m, parts);
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i] -= best[i];
    const double time_sd = energy_mj * app.profile->unsure(m, app.level);
    const double sd = std::sqrt(board_.power().variance(parts) + time_sd * time_sd);
    if (!(sd > 0)) continue;
    // Expected improvement (Mockus 1975; Jones, Schonlau and Welch, 1998), for all jobs to come, less
    // what the trial is expected to cost.
    const double worse_mj = energy_mj - best_mj, z = -worse_mj / sd;
    const double density = 0.3989422804014327 * std::exp(-0.5 * z * z);
    const double improvement = sd * density - worse_mj * normal_tail(-z);
    const double before = 1 + app.trials[mask_[static_cast<std::size_t>(m)]];
    const double gain = kHorizonJobs / (before * std::sqrt(before)) * improvement -
                        kTrialCost * std::max(0.0, worse_mj);
    if (gain > most && app.debt + kTrialJobs * (energy_mj / best_mj - 1) <= kMostDebt) {
      most = gain, chosen = m;
    }
  }
  if (chosen < 0) {
    app.settled_version = board_.version() + 1;
    app.settled_jobs = app.learned->jobs;
  } else {
    std::uint8_t& trials = app.trials[mask_[static_cast<std::size_t>(chosen)]];
    if (trials < 255) ++trials;
    app.tried = chosen;
  }
  return chosen;
}

void QLearning::choose_margin(const Observation& now, int slot, Decision& out) {
  App& app = *apps_.find(slot);
  const Situation s = assess(now, slot, Job::kRunning);
  app.best_margin = -1;
  if (s.objective == Objective::kLatency) {  // there is nothing to be left of the time
    app.fast = {};
    out.fresh = true;
    return;
  }
  FastPriors fast;
  fast_priors(now, slot, s, fast);
  DoubleQ& table = app.learned->fast;
  close(*app.learned, table, app.closed_fast, s.fast_state, fast, s.energy_weight);
  const int greedy = table.best(s.fast_state, fast, s.energy_weight);
  const bool safe = greedy >= 0 && app.slow.valid;
  bool explored = false;
  app.margin = draw(fast, s.energy_weight, safe ? epsilon(*app.learned) : 0,
                    greedy >= 0 ? greedy : static_cast<int>(kMargins.size()) - 1,
                    app.margin_chances, explored);
  app.margin_chosen = true;
  if (greedy >= 0) app.best_margin = greedy;
  if (explored) out.reason.code = Reason::Code::kExplored;
  out.probability *= static_cast<float>(probability_of(app.margin_chances, app.margin));
  // Also of a job whose mapping nobody chose: the margin was.
  const DoubleQ::Prior& prior = fast[static_cast<std::size_t>(app.margin)];
  app.fast = {!prior.masked, s.fast_state, app.margin, prior.value};
  out.fresh = true;
}

void QLearning::set_frequencies(const Observation& now, int slot, Decision& out) {
  App& app = *apps_.find(slot);
  const RunningJobObservation& run = now.app[slot].running;
  const int i = point_within(now, slot, app.margin);
  app.opp = frequencies(now, slot, i);
  app.best_opp = app.best_margin < 0 || app.best_margin == app.margin
                     ? app.opp
                     : frequencies(now, slot, point_within(now, slot, app.best_margin));
  if (i < 0 || app.running != run.sequence) return;
  const ProfilePoint& point =
      app.profile->frontier(run.setting.mapping, run.setting.level)[static_cast<std::size_t>(i)];
  const double slow = app.jobs.slowdown(run.setting.mapping);
  const double left = std::max(0.0, app.jobs.work(0) - app.jobs.progress());
  const double spent_ns = static_cast<double>(now.now_ns - run.start_ns);
  Forecast forecast;
  forecast.app = static_cast<std::uint8_t>(slot);
  forecast.sequence = run.sequence;
  const double time_ns = point.time_ns * left * slow;
  if (app.known >= 0 && forecasts_[static_cast<std::size_t>(app.known)].jobs > 0)
    app.forecasts.begin_as(forecasts_[static_cast<std::size_t>(app.known)]);
  const double sd_ns = time_ns * app.forecasts.time.deviation();
  forecast.time_ns = static_cast<float>(spent_ns + time_ns);
  forecast.time_sd_ns = static_cast<float>(sd_ns);
  const double modelled_mj = point.energy_mj * left * slow + idle_mw_ * time_ns * 1e-9;
  if (app.modelled_mj <= 0) {
    app.modelled_mj = modelled_mj;
    app.forecast_ns = std::max(1.0, spent_ns + time_ns);
  }
  // What the platform takes anyhow is charged to all jobs that run, in equal parts.
  int running = 0;
  for (int a = 0; a < now.app_count; ++a) running += now.app[a].running.busy;
  const double shared_mj =
      point.energy_mj * left * slow + idle_mw_ * time_ns * 1e-9 / std::max(1, running);
  if (app.shared_mj <= 0) app.shared_mj = shared_mj;
  app.extra_mw = point.energy_mj * app.jobs.work(0) * slow * 1e9 /
                 release_gap_ns(now.app[slot].required, app.jobs);
  const double energy_mj = shared_mj * app.forecasts.energy_ratio;
  forecast.energy_mj = static_cast<float>(app.spent_mj + energy_mj);
  forecast.energy_sd_mj = static_cast<float>(energy_mj * app.forecasts.energy.deviation());
  const double slack_ns = static_cast<double>(run.deadline_ns - now.now_ns) - time_ns;
  forecast.miss_probability =
      static_cast<float>(sd_ns > 0 ? normal_tail(slack_ns / sd_ns) : (slack_ns < 0 ? 1 : 0));
  out.add_forecast(forecast);
}

void QLearning::score(App& app, const JobRecord& job) {
  if (app.modelled_mj <= 0) return;
  const double longer = static_cast<double>(job.execution_ns()) / app.forecast_ns - 1;
  const double shared_ratio = std::clamp(job.energy_mj / app.shared_mj, 0.01, 10.0);
  const double dearer = shared_ratio / app.forecasts.energy_ratio - 1;
  app.forecasts.add(longer, shared_ratio, dearer);
  if (app.known >= 0) {
    ForecastRecord& all = forecasts_[static_cast<std::size_t>(app.known)];
    if (all.jobs == 0)
      all = app.forecasts;
    else
      all.add(longer, shared_ratio, dearer);
  }
  const double ratio = std::clamp(job.energy_mj / app.modelled_mj, 0.1, 10.0);
  const double off = std::abs(ratio / app.energy_ratio - 1);
  app.energy_off += kOffWeight * (off - app.energy_off);
  app.energy_ratio += kEnergyWeight * (ratio - app.energy_ratio);
  // The first after a move pays for that, once.
  const bool moved = !(job.setting == app.scored);
  app.scored = job.setting;
  if (moved) return;
  float& own = app.ratio[static_cast<std::size_t>(job.setting.mapping * app.profile->level_count() +
                                                  job.setting.level)];
  own += static_cast<float>((own > 0 ? kEnergyWeight : 1) * (ratio - static_cast<double>(own)));
}

void QLearning::decide(const Observation& now, Decision& out) noexcept {
  draws_known_ = true;
  for (int c = 0; c < now.cluster_count; ++c) out.action.opp[c] = 0;
  find_interval(now);
  bool event = false;
  power_budget_mw_ = Allowance::kAny;
  for (int a = 0; a < apps_.count(); ++a) {
    const AppObservation& seen = now.app[a];
    if (!seen.active || seen.required.power_budget_mw <= 0) continue;
    power_budget_mw_ = std::min(power_budget_mw_, seen.required.power_budget_mw);
  }
  for (int a = 0; a < apps_.count(); ++a) {
    App* app = apps_.find(a);
    if (app == nullptr) continue;
    const AppObservation& seen = now.app[a];
    app->next_chances.clear();
    app->margin_chances.clear();
    app->margin_chosen = false;
    meet_company(now, a);
    const bool started = seen.running.busy && seen.running.sequence != app->running;
    if (started) {
      app->running = seen.running.sequence;
      // Released before the last choice was in force, it runs with what nobody chose for it.
      const AppSetting chosen{static_cast<std::uint8_t>(std::max(0, app->mapping)),
                              static_cast<std::uint8_t>(app->level)};
      app->slow = seen.running.setting == chosen ? app->next_slow : Open{};
      app->arm = app->next_arm;
      app->arm.valid = app->arm.valid && app->slow.valid;
      app->fast = {};
      app->modelled_mj = app->spent_mj = app->shared_mj = 0;
    }
    const bool asked_anew = app->mapping >= 0 && !(app->required == seen.required);
    if (app->mapping < 0 || started || seen.released > 0 || seen.finished > 0 || asked_anew) {
      choose_next(now, a, out);
      event = true;
    }
    if (started) choose_margin(now, a, out);
  }
  for (int a = 0; a < apps_.count(); ++a) {
    App* app = apps_.find(a);
    if (app == nullptr) continue;
    const AppObservation& seen = now.app[a];
    out.action.app[a] = {static_cast<std::uint8_t>(std::max(0, app->mapping)),
                         static_cast<std::uint8_t>(app->level)};
    if (app->mapping != app->best_mapping) out.trial.next |= 1ull << a;
    if (!seen.running.busy) {
      app->opp = app->best_opp = {};
      continue;
    }
    if (event) set_frequencies(now, a, out);
    if (out.reason.code == Reason::Code::kNone) {
      out.reason.code = Reason::Code::kRunning;
      out.reason.index = static_cast<std::uint8_t>(a);
    }
    if (hurry(now, a, app->opp) && !event) out.reason.code = Reason::Code::kHurry;
    if (tries_clocks(now, a, app->opp)) {
      hurry(now, a, app->best_opp);
      out.trial.clocks |= 1ull << a;
    }
    for (int c = 0; c < now.cluster_count; ++c) {
      out.action.opp[c] =
          std::max(out.action.opp[c], std::min(app->opp[c], now.cluster[c].opp_cap));
    }
  }
  if (out.reason.code == Reason::Code::kNone) out.reason.code = Reason::Code::kIdle;
  if (!out.trial.any()) return;
  out.trial.interval_ns = interval_ns_;
  out.trial.instead = without_trials(now, out.action);
}

void QLearning::learn(const Observation& outcome, const Action&, const Reward& reward) noexcept {
  const double shared_weight = 2 * outcome.energy_preference;
  // What an idle platform takes is nobody's doing; without it the tables hold differences that
  // matter. Taken out of every share in proportion.
  const double idle_mj =
      std::min(outcome.energy_mj, idle_mw_ * static_cast<double>(outcome.epoch_ns) * 1e-9);
  const double idle_share = outcome.energy_mj > 0 ? idle_mj / outcome.energy_mj : 0;
  if (kind_ != Kind::kModel) board_.observe(outcome, known_);
  double nobodys_mj = outcome.energy_mj;
  for (int a = 0; a < outcome.app_count; ++a) nobodys_mj -= outcome.app[a].energy_mj;
  int bound = 0;
  for (int a = 0; a < apps_.count(); ++a) bound += apps_.bound(a);
  for (int a = 0; a < apps_.count(); ++a) {
    App* app = apps_.find(a);
    if (app == nullptr) continue;
    app->jobs.observe(outcome);
    app->spent_mj += outcome.app[a].energy_mj;
    RewardParts own = reward.app[a];
    const double part = 1.0 / bound;
    own.budget += reward.shared.budget * part;
    own.heat += reward.shared.heat * part;
    const double share_mj = outcome.app[a].energy_mj + part * nobodys_mj;
    // A user who does not care about energy takes it out of the reward, not out of the world.
    const double weight = energy_weight(outcome.energy_preference, outcome.app[a].required);
    const double energy = shared_weight > 0
                              ? own.energy / weight + reward.shared.energy * part / shared_weight
                              : share_mj / weights_.ref_energy_mj;
    const double idle = idle_share * share_mj / weights_.ref_energy_mj;
    app->cost = app->cost + QValue{idle - energy, -(own.misses + own.accuracy + own.budget +
                                                    own.heat + own.latency + own.monitors)};
    for (const JobRecord& job : outcome.jobs()) {
      if (job.app != a || job.dropped) continue;
      // One that ended before it was seen to run had no margin chosen for it.
      const bool seen = job.sequence == app->running;
      if (seen) score(*app, job);
      if (kind_ != Kind::kModel && learning_) learn_desire(*app, job, outcome.app[a]);
      if (kind_ == Kind::kArms) finish_arm(*app, seen, weight);
      app->closed_slow.take(seen ? app->slow : app->next_slow, app->cost);
      app->closed_fast.take(seen ? app->fast : Open{}, app->cost);
      if (learning_) ++app->learned->jobs;
      app->time_now.forget();
      app->time_at_top.forget();
      app->cost = {};
      app->slow = app->fast = {};
    }
  }
}

}  // namespace flyball
