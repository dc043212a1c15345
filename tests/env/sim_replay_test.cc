#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>

#include "env/config/yaml.h"
#include "env/scenario/plain_tasks.h"
#include "tests/env/allocation_counter.h"
#include "tests/env/measured.h"
#include "tests/env/round_board.h"

namespace flyball {
namespace {

/// FNV-1a over the numbers of all observations of a run under a policy that changes knobs all the
/// time.
class Trace {
 public:
  void add(const Observation& out) {
    add(out.now_ns), add(out.energy_mj), add(out.power_mw), add(out.battery_pct);
    for (int c = 0; c < out.cluster_count; ++c) {
      const ClusterObservation& cluster = out.cluster[c];
      add(cluster.freq_khz), add(cluster.util_max), add(cluster.util_mean);
      add(cluster.power_mw), add(cluster.temp_c), add(cluster.opp_cap);
    }
    for (int a = 0; a < out.app_count; ++a) {
      const AppObservation& app = out.app[a];
      add(app.released), add(app.finished), add(app.missed), add(app.backlog);
      add(app.last_latency_ns), add(app.last_cycles);
    }
    for (const JobRecord& job : out.jobs()) {
      add(job.finish_ns), add(job.energy_mj), add(job.cycles);
      add(job.infeasible), add(job.setting.mapping);
    }
  }
  std::uint64_t value() const { return value_; }

 private:
  template <typename Number>
  void add(Number number) {
    const auto bytes = std::bit_cast<std::array<unsigned char, sizeof(Number)>>(number);
    for (const unsigned char byte : bytes) value_ = (value_ ^ byte) * 0x100000001b3ULL;
  }
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

std::uint64_t trace(const PlatformSpec& spec, const Scenario& scenario, std::uint64_t seed) {
  Simulator sim(spec, scenario, {.seed = seed});
  Random random(99);
  Trace trace;
  Observation out;
  Status status = Status::kOk;
  while (status == Status::kOk) {
    Action action = big_core(spec, static_cast<std::uint8_t>(random.below(2)), 2);
    action.app[0].mapping = static_cast<std::uint8_t>(random.below(9));
    action.app[1].level = static_cast<std::uint8_t>(random.below(2));
    sim.apply(action);
    status = sim.advance(ms(23), out);
    trace.add(out);
  }
  return trace.value();
}

Scenario varied() {
  AppSpec camera = stream("camera", 100, 100);
  camera.arrival.jitter = 0.3;
  camera.work_cv = 0.3;
  camera.work_correlation = 0.7;
  AppSpec door = stream("door", 150, 200);
  door.arrival.kind = Arrival::Kind::kPoisson;
  Scenario scenario = of_apps({camera, door}, 8000);
  scenario.background.push_back({"build", kBig, 2.5, 0.5, 0.1, 3000 * kMs, 5000 * kMs});
  scenario.battery_mj = 1e5;
  return scenario;
}

TEST(SimReplay, TheSameSeedGivesTheSameBytes) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = varied();
  const std::uint64_t first = trace(spec, scenario, 7);
  EXPECT_EQ(first, trace(spec, scenario, 7));
  EXPECT_NE(first, trace(spec, scenario, 8));
}

TEST(SimReplay, ArrivalsAndWorkAreTheSameUnderEveryPolicy) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = varied();
  // Full width at the highest frequency on one core, and on four: cycles per job tell the work.
  std::vector<std::vector<JobRecord>> runs;
  for (const int cores : {1, 4}) {
    Simulator sim(spec, scenario, {.seed = 5});
    Action action = big_core(spec, 1, 2);
    action.app[0].mapping = mapping_of(spec, kBig, cores);
    sim.apply(action);
    std::vector<JobRecord> camera;
    for (const JobRecord& job : play(sim, 2500)) {
      if (job.app == 0 && !job.dropped) camera.push_back(job);
    }
    runs.push_back(camera);
  }
  ASSERT_GT(runs[0].size(), 20u);
  int compared = 0;
  for (const JobRecord& one : runs[0]) {
    for (const JobRecord& four : runs[1]) {
      if (one.sequence != four.sequence) continue;
      EXPECT_EQ(one.release_ns, four.release_ns);
      if (one.sequence > 0) {
        EXPECT_NEAR(one.cycles, 4 * four.cycles, 20);
      }
      ++compared;
    }
  }
  EXPECT_GT(compared, 20);
}

void expect_no_allocation(const PlatformSpec& spec, const Scenario& scenario, int mappings,
                          long least_epochs) {
  Simulator sim(spec, scenario);
  const auto apps = static_cast<int>(scenario.apps.size());
  Observation out, copy;
  SimState state;
  Random random(3);
  const std::uint64_t before = thread_allocations();
  Status status = Status::kOk;
  long epochs = 0;
  while (status == Status::kOk) {
    Action action;
    for (int c = 0; c < 2; ++c) action.opp[c] = static_cast<std::uint8_t>(random.below(10));
    for (int a = 0; a < apps; ++a) {
      action.app[a] = {static_cast<std::uint8_t>(random.below(mappings)),
                       static_cast<std::uint8_t>(random.below(4))};
    }
    sim.apply(action);
    status = sim.advance({.interval_ns = 50 * kMs,
                          .stop_at_release = random.below(2) == 0,
                          .stop_at_finish = random.below(2) == 0},
                         out);
    copy = out;
    sim.fork(state);
    sim.step(state, action, {.interval_ns = 5 * kMs}, &copy);
    ++epochs;
  }
  EXPECT_EQ(thread_allocations(), before);
  EXPECT_GT(epochs, least_epochs);
}

TEST(SimReplay, NothingIsAllocatedWithinAnEpoch) {
  const PlatformSpec spec = load_platform("odroid_xu3");
  expect_no_allocation(spec, load_scenario("dual_dnn", spec), 20, 1000);
}

// With drops, queues, background, events and 20 applications that come and go.
TEST(SimReplay, NothingIsAllocatedWithManyApplications) {
  const PlatformSpec spec = round_board();
  Scenario scenario = varied();
  for (int a = 2; a < 20; ++a) {
    AppSpec app = stream("more", 20 + 7 * a, 30);
    app.start_ns = a * 100 * kMs;
    app.stop_ns = a * 300 * kMs;
    app.queue_limit = 1 + a % 3;
    scenario.apps.push_back(app);
  }
  scenario.events.push_back({2000 * kMs, ScenarioEvent::Kind::kPeriod, 0, {}, 30e6});
  expect_no_allocation(spec, scenario, 9, 300);
}

TEST(SimReplay, EveryScenarioPlaysOnEveryPlatform) {
  for (const std::string& platform : list_configs("platforms")) {
    for (const std::string& name : list_configs("scenarios")) {
      PlatformSpec spec = measured_platform(platform);
      add_task_profiles(name, spec);
      Scenario scenario = load_scenario(name, spec);
      scenario.duration_ns = std::min<std::int64_t>(scenario.duration_ns, 40'000 * kMs);
      Simulator sim(spec, scenario);
      Observation out;
      sim.observe(out);
      Action fast;
      for (int c = 0; c < out.cluster_count; ++c) {
        fast.opp[c] = static_cast<std::uint8_t>(spec.clusters[c].max_opp());
      }
      const int big = spec.big_cluster();
      for (int a = 0; a < out.app_count; ++a) {
        fast.app[a].mapping = mapping_of(spec, big, std::min(2, spec.clusters[big].cores));
      }
      std::uint64_t finished = 0, missed = 0;
      double energy_mj = 0;
      Status status = Status::kOk;
      while (status == Status::kOk) {
        sim.apply(fast);
        status = sim.advance(ms(50), out);
        ASSERT_GE(out.energy_mj, 0);  // a board measured with its idle power taken off may have none
        ASSERT_TRUE(std::isfinite(out.energy_mj));
        energy_mj += out.energy_mj;
        for (int c = 0; c < out.cluster_count; ++c) ASSERT_LT(out.cluster[c].temp_c, 150);
        for (int a = 0; a < out.app_count; ++a) {
          finished += out.app[a].finished;
          missed += out.app[a].missed;
        }
      }
      EXPECT_EQ(status, Status::kFinished);
      EXPECT_GT(finished, 20u) << name << " on " << platform;
      EXPECT_GT(energy_mj, 0) << name << " on " << platform;
      // Two cores at full speed and the smallest width that exists manage nearly all of it; a build
      // takes all there are.
      if (name == "build") continue;
      EXPECT_LT(missed, finished / 2) << name << " on " << platform;
    }
  }
}

}  // namespace
}  // namespace flyball
