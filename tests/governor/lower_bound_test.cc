#include "governor/compare/lower_bound.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "env/sim/simulator.h"
#include "governor/compare/run_ledger.h"
#include "governor/compare/schedule_search.h"
#include "governor/metrics/session.h"
#include "tests/agents/tiny_platform.h"

namespace flyball::test {
namespace {

constexpr std::int64_t kMs = 1'000'000;

TEST(LowerHull, IsThatOfPacesAndRestByHand) {
  const std::vector<Pace> hull = lower_hull({{3, 9}, {1, 2}, {2, 3}});
  ASSERT_EQ(hull.size(), 3u);  // (1, 2) lies above the line from rest to (2, 3)
  const auto least = [&](double work) {
    const std::array<Stretch, 1> second{{{1, hull}}};
    return least_energy_mj(work, second);
  };
  EXPECT_DOUBLE_EQ(least(0), 0);
  EXPECT_DOUBLE_EQ(least(1), 1.5);  // half of the second at pace 2, half at rest
  EXPECT_DOUBLE_EQ(least(2), 3);
  EXPECT_DOUBLE_EQ(least(2.5), 6);  // half at pace 2, half at pace 3
  EXPECT_DOUBLE_EQ(least(3), 9);
  EXPECT_TRUE(std::isinf(least(3.001)));
}

TEST(LowerHull, WorkGoesToTheStretchInWhichItIsCheapest) {
  const std::vector<Pace> dear = lower_hull({{2, 3}}), cheap = lower_hull({{1, 1}});
  const std::array<Stretch, 2> stretches{{{1, dear}, {1, cheap}}};
  EXPECT_DOUBLE_EQ(least_energy_mj(0.5, stretches), 0.5);
  EXPECT_DOUBLE_EQ(least_energy_mj(2, stretches), 1 + 1.5);
  EXPECT_TRUE(std::isinf(least_energy_mj(3.1, stretches)));
}

/// One core each, two clocks each, and one level that reaches the floor of 68 %, one that does not.
PlatformSpec two_cores() {
  PlatformSpec spec = tiny_platform();
  for (ClusterSpec& cluster : spec.clusters) cluster.cores = 1;
  spec.clusters[0].opps = {{500'000, 800}, {2'000'000, 1200}};
  spec.mappings = {{{1, 0}, "bigx1"}, {{0, 1}, "littlex1"}};
  AppProfile& net = spec.apps[0];
  net.levels = {net.levels[1], net.levels[3]};
  return spec;
}

Scenario few_jobs(int jobs, std::int64_t period_ns, std::int64_t deadline_ns) {
  Scenario scenario = tiny_scenario();
  scenario.duration_ns = jobs * period_ns;
  AppSpec& app = scenario.apps[0];
  app.arrival.period_ns = app.required.period_ns = period_ns;
  app.required.deadline_ns = deadline_ns;
  app.work_cv = 0.3;
  app.stop_ns = scenario.duration_ns;
  return scenario;
}

/// Every sequence of decisions at releases and finishes, each of `actions` at each of them: the least
/// energy by which jobs are met.
class BruteForce {
 public:
  BruteForce(const PlatformSpec& spec, const Scenario& scenario, std::vector<Action> actions)
      : sim_(spec, scenario),
        actions_(std::move(actions)),
        jobs_(released_jobs(sim_.model().ledger, 1)) {
    sim_.fork(state_at(0));
    play(0, std::vector<bool>(jobs_.size(), false));
  }
  const std::vector<ReleasedJob>& jobs() const { return jobs_; }
  const std::map<std::vector<bool>, double>& least_mj() const { return least_mj_; }
  int runs() const { return runs_; }

 private:
  SimState& state_at(std::size_t depth) {
    while (states_.size() <= depth) states_.push_back(std::make_unique<SimState>());
    return *states_[depth];
  }
  void play(std::size_t depth, const std::vector<bool>& met_before) {
    SimState& state = state_at(depth + 1);
    for (const Action& action : actions_) {
      sim_.fork(state_at(depth), state);
      ended_->clear_jobs();
      const Status status =
          sim_.step(state, action,
                    {.interval_ns = 1'000 * kMs, .stop_at_release = true, .stop_at_finish = true},
                    ended_.get());
      std::vector<bool> met = met_before;
      for (const JobRecord& record : ended_->jobs()) {
        if (record.missed || record.accuracy_pct < record.accuracy_floor_pct) continue;
        for (std::size_t j = 0; j < jobs_.size(); ++j)
          if (jobs_[j].app == record.app && jobs_[j].job.sequence == record.sequence) met[j] = true;
      }
      if (status != Status::kFinished) {
        play(depth + 1, met);
        continue;
      }
      ++runs_;
      const auto [known, fresh] = least_mj_.emplace(met, state.total_mj);
      if (!fresh) known->second = std::min(known->second, state.total_mj);
    }
  }

  const Simulator sim_;
  const std::vector<Action> actions_;
  const std::vector<ReleasedJob> jobs_;
  std::vector<std::unique_ptr<SimState>> states_;  ///< per depth
  std::unique_ptr<Observation> ended_ = std::make_unique<Observation>();
  std::map<std::vector<bool>, double> least_mj_;
  int runs_ = 0;
};

std::vector<Action> actions_of(int levels, int apps) {
  std::vector<Action> actions;
  for (std::uint8_t big = 0; big < 2; ++big)
    for (std::uint8_t little = 0; little < 2; ++little)
      for (std::uint8_t mapping = 0; mapping < 2; ++mapping)
        for (int level = 2 - levels; level < 2; ++level) {
          Action action;
          action.opp[0] = big, action.opp[1] = little;
          for (int a = 0; a < apps; ++a) {
            action.app[static_cast<std::size_t>(a)] = {static_cast<std::uint8_t>((mapping + a) % 2),
                                                       static_cast<std::uint8_t>(level)};
          }
          actions.push_back(action);
        }
  return actions;
}

/// How far the least energy of the runs that meet most is above its bound, %; every set of jobs that
/// somebody met is held against its own.
double check_against_bound(const PlatformSpec& spec, const Scenario& scenario,
                           const BruteForce& brute) {
  const BoundModel model(spec, scenario);
  EXPECT_EQ(model.why_none(), "");
  const LowerBound bound(model, brute.jobs());
  double width_pct = std::numeric_limits<double>::infinity();
  std::ptrdiff_t most = -1;
  for (const auto& [met, energy_mj] : brute.least_mj()) {
    const double bound_mj = bound.energy_mj(met);
    EXPECT_GE(energy_mj, bound_mj) << std::count(met.begin(), met.end(), true) << " jobs met";
    const std::ptrdiff_t count = std::count(met.begin(), met.end(), true);
    if (count < most) continue;
    most = count;
    width_pct = 100 * (energy_mj / bound_mj - 1);
  }
  EXPECT_EQ(most, static_cast<std::ptrdiff_t>(brute.jobs().size()));
  return width_pct;
}

TEST(LowerBound, NoSequenceOfDecisionsGoesBelowIt) {
  const PlatformSpec spec = two_cores();
  const Scenario scenario = few_jobs(2, 40 * kMs, 30 * kMs);
  const BruteForce brute(spec, scenario, actions_of(2, 1));
  EXPECT_GT(brute.runs(), 50'000);
  EXPECT_EQ(brute.least_mj().size(), 2u) << "with the second job met, and without";
  // The first job starts with what is in force, whatever is decided.
  EXPECT_LT(check_against_bound(spec, scenario, brute), 20);
}

TEST(LowerBound, NorWhereJobsQueue) {
  const PlatformSpec spec = two_cores();
  const Scenario scenario = few_jobs(3, 12 * kMs, 30 * kMs);
  const BruteForce brute(spec, scenario, actions_of(1, 1));
  EXPECT_GT(brute.runs(), 10'000);
  check_against_bound(spec, scenario, brute);
}

/// Idle clusters that leak, and states that pay within a pause, or only within a long one.
TEST(LowerBound, NorWhereIdleClustersPowerDown) {
  PlatformSpec spec = two_cores();
  for (ClusterSpec& cluster : spec.clusters) {
    cluster.gate_idle_cores = false;
    cluster.leak_c_a *= 5;
    cluster.idle_states = {{"sleep", 0.5, 50, 1000, false}, {"off", 0.05, 400, 8000, true}};
  }
  for (UnitProfile& unit : spec.apps[0].unit) unit.gate_idle_cores = false;
  const Scenario scenario = few_jobs(2, 40 * kMs, 30 * kMs);
  const BruteForce brute(spec, scenario, actions_of(2, 1));
  EXPECT_GT(brute.runs(), 50'000);
  EXPECT_LT(check_against_bound(spec, scenario, brute), 30);
}

TEST(LowerBound, NorWhereTwoApplicationsShareCoresAndMemory) {
  PlatformSpec spec = two_cores();
  for (UnitProfile& unit : spec.apps[0].unit) unit.memory_ms = 2;
  Scenario scenario = few_jobs(2, 60 * kMs, 55 * kMs);
  AppSpec other = scenario.apps[0];
  other.name = "audio";
  other.arrival.period_ns = other.required.period_ns = 50 * kMs;
  scenario.apps.push_back(other);
  std::vector<Action> actions = actions_of(1, 2);
  Action both_big = actions.back();
  both_big.app[0].mapping = both_big.app[1].mapping = 0;
  actions = {actions[0], actions[3], actions[7], both_big};
  const BruteForce brute(spec, scenario, actions);
  EXPECT_GT(brute.runs(), 5'000);
  check_against_bound(spec, scenario, brute);
}

/// Anything at all, at random.
class Aimless final : public Agent {
 public:
  Aimless(const PlatformSpec& spec, std::uint64_t seed) : spec_(spec), random_(seed, 1) {}
  std::string_view name() const override { return "aimless"; }
  EpochRequest epoch() const override {
    return {.interval_ns = 10 * kMs, .stop_at_release = true, .stop_at_finish = true};
  }
  void bind(int, const Binding&, const Observation&) override {}
  void unbind(int) override {}
  void decide(const Observation& now, Decision& out) noexcept override {
    const auto below = [&](std::size_t n) {
      return static_cast<std::uint8_t>(random_.uniform(0, static_cast<double>(n)));
    };
    for (int c = 0; c < now.cluster_count; ++c)
      out.action.opp[c] = below(spec_.clusters[static_cast<std::size_t>(c)].opps.size());
    for (int a = 0; a < now.app_count; ++a)
      out.action.app[a] = {below(spec_.mappings.size()), below(spec_.apps[0].levels.size())};
  }

 private:
  const PlatformSpec& spec_;
  Random random_;
};

RunLedger run(const PlatformSpec& spec, const Scenario& scenario, std::uint64_t seed, Agent& agent,
              const LowerBound& bound, const std::vector<ReleasedJob>& jobs) {
  Simulator sim(spec, scenario, {.seed = seed});
  const Belief belief = Belief::of(spec);
  RunLedgerSink ledger(jobs, &bound);
  SessionOptions options;
  options.sinks = {&ledger};
  run_session(sim, belief, agent, reward_weights(belief), options);
  return ledger.result(sim);
}

TEST(ScheduleSearch, IsWithinTwoPercentOfBruteForceAndNotBelowTheBound) {
  const PlatformSpec spec = two_cores();
  const Scenario scenario = few_jobs(2, 40 * kMs, 30 * kMs);
  const std::vector<Action> actions = actions_of(2, 1);
  const BruteForce brute(spec, scenario, actions);
  const double least_mj = brute.least_mj().at(std::vector<bool>(brute.jobs().size(), true));
  const BoundModel model(spec, scenario);
  const LowerBound bound(model, brute.jobs());
  const Simulator start(spec, scenario);
  const double seconds = static_cast<double>(scenario.duration_ns) * 1e-9;
  Scripted found(search_schedule(start, actions,
                                 {.jobs = brute.jobs(),
                                  .idle_mw = bound.idle_mj() / seconds,
                                  .price_mj = bound.cheapest_mj(0, 68)}));
  const RunLedger ledger = run(spec, scenario, 1, found, bound, brute.jobs());
  EXPECT_EQ(ledger.unmet, 0);
  EXPECT_LE(ledger.energy_mj, 1.02 * least_mj);
  EXPECT_GE(ledger.energy_mj, bound.energy_mj(ledger.met));
}

struct Case {
  const char *platform, *scenario;
  int seconds;
};

/// Above its bound, of the one that is closest to it, %.
double check_policies(const PlatformSpec& spec, const Scenario& scenario, std::uint64_t seed) {
  const BoundModel model(spec, scenario);
  EXPECT_EQ(model.why_none(), "");
  const Belief belief = Belief::of(spec);
  const std::vector<ReleasedJob> jobs = released_jobs(model.sim().ledger, seed);
  EXPECT_GT(jobs.size(), 10u);
  const LowerBound bound(model, jobs);
  double tightest_pct = std::numeric_limits<double>::infinity();
  for (const std::string policy : {"performance", "schedutil", "rule", "model", "aimless"}) {
    const auto agent = policy == "aimless"
                           ? std::make_unique<Aimless>(spec, seed)
                           : make_agent(policy, {belief, reward_weights(belief), seed, nullptr});
    const RunLedger ledger = run(spec, scenario, seed, *agent, bound, jobs);
    const double bound_mj = bound.energy_mj(ledger.met);
    EXPECT_GE(ledger.energy_mj, bound_mj) << policy << ' ' << seed;
    EXPECT_GE(ledger.charged_mj, ledger.energy_mj);
    tightest_pct = std::min(tightest_pct, 100 * (ledger.energy_mj / bound_mj - 1));
  }
  return tightest_pct;
}

class LowerBoundOnBoards : public ::testing::TestWithParam<Case> {};

TEST_P(LowerBoundOnBoards, NoPolicyTakesLess) {
  const PlatformSpec spec = load_platform(GetParam().platform);
  Scenario scenario = load_scenario(GetParam().scenario, spec);
  scenario.duration_ns = GetParam().seconds * 1000 * kMs;
  for (AppSpec& app : scenario.apps) {
    app.start_ns /= 4;
    app.stop_ns = std::min(app.stop_ns, scenario.duration_ns);
  }
  for (ScenarioEvent& event : scenario.events) event.at_ns /= 16;
  for (const std::uint64_t seed : {1, 2})
    EXPECT_LT(check_policies(spec, scenario, seed), 25) << "so loose a bound says nothing";
}

// Where they can run together in too many ways to go through, and other load is beside them.
TEST(LowerBound, TwoApplicationsBesideOtherLoadOnABigBoard) {
  const PlatformSpec spec = load_platform("odroid_xu3");
  Scenario scenario = load_scenario("background", spec);
  scenario.duration_ns = 16'000 * kMs;
  scenario.apps[0].stop_ns = scenario.duration_ns;
  scenario.apps.push_back(scenario.apps[0]);
  scenario.apps[1].name = "second";
  scenario.apps[1].arrival.period_ns *= 2;
  scenario.apps[1].required.accuracy_floor_pct = 56;
  check_policies(spec, scenario, 1);
}

INSTANTIATE_TEST_SUITE_P(
    Boards, LowerBoundOnBoards,
    ::testing::Values(Case{"odroid_xu3", "single_periodic", 8},
                      Case{"odroid_xu3", "background", 10}, Case{"odroid_xu3", "thermal_soak", 20},
                      Case{"rk3588", "single_periodic", 8}, Case{"rk3588", "bursty", 8},
                      Case{"jetson_nano", "dual_dnn", 12}, Case{"jetson_nano", "event_driven", 10},
                      Case{"jetson_nano", "budget_grid", 10}, Case{"exynos5250", "dual_dnn", 12},
                      Case{"odroid_xu3", "dual_dnn", 12}, Case{"rk3588", "dual_dnn", 12},
                      Case{"odroid_xu3_idle", "single_periodic", 8},
                      Case{"odroid_xu3_idle", "dual_dnn", 12},
                      Case{"rk3588_idle", "single_periodic", 8}, Case{"rk3588_idle", "bursty", 8},
                      Case{"rk3588_idle", "background", 10}, Case{"rk3588_idle", "dual_dnn", 12},
                      Case{"zynq_ultrascale", "contention", 6}),
    [](const auto& one) { return std::string(one.param.platform) + "_" + one.param.scenario; });

TEST(LowerBound, ReleasesAreThoseOfTheSimulation) {
  const PlatformSpec spec = load_platform("jetson_nano");
  Scenario scenario = load_scenario("event_driven", spec);
  scenario.duration_ns = 30'000 * kMs;
  for (AppSpec& app : scenario.apps) app.stop_ns = scenario.duration_ns;
  for (ScenarioEvent& event : scenario.events) event.at_ns /= 4;
  const BoundModel model(spec, scenario);
  const std::vector<ReleasedJob> jobs = released_jobs(model.sim().ledger, 3);
  std::map<std::uint64_t, const ReleasedJob*> by_sequence;
  for (const ReleasedJob& one : jobs) by_sequence[one.job.sequence] = &one;
  Simulator sim(spec, scenario, {.seed = 3});
  const auto seen = std::make_unique<Observation>();
  std::size_t records = 0;
  Status status = Status::kOk;
  while (status == Status::kOk) {
    Action fast;
    fast.opp = highest_opps(spec);
    sim.apply(fast);
    status = sim.advance({.interval_ns = 20 * kMs}, *seen);
    for (const JobRecord& record : seen->jobs()) {
      ++records;
      ASSERT_TRUE(by_sequence.contains(record.sequence));
      const LedgerJob& job = by_sequence[record.sequence]->job;
      EXPECT_EQ(job.release_ns, record.release_ns);
      EXPECT_EQ(job.deadline_ns, record.deadline_ns);
      EXPECT_EQ(job.accuracy_floor_pct, record.accuracy_floor_pct);
    }
  }
  EXPECT_GE(records + 4, jobs.size()) << "all but what the queue still holds";
  EXPECT_GT(records, 50u);
}

TEST(LowerBound, ThreeApplicationsHaveNoneAndSaySo) {
  const PlatformSpec spec = two_cores();
  Scenario scenario = few_jobs(2, 40 * kMs, 30 * kMs);
  scenario.apps.resize(3, scenario.apps[0]);
  EXPECT_THAT(BoundModel(spec, scenario).why_none(), ::testing::HasSubstr("three or more"));
}

}  // namespace
}  // namespace flyball::test
