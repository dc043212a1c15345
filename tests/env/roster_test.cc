#include <gtest/gtest.h>

#include <cstring>
#include <type_traits>

#include "tests/env/round_board.h"

// Applications come and go: slots, generations, and what of an observation is in use.

namespace flyball {
namespace {

AppSpec between(const char* name, double period_ms, std::int64_t start_ms, std::int64_t stop_ms) {
  AppSpec app = stream(name, period_ms, period_ms);
  app.start_ns = start_ms * kMs;
  app.stop_ns = stop_ms * kMs;
  return app;
}

static_assert(!std::is_copy_constructible_v<LedgerModel>, "its parts refer to each other");

TEST(Roster, ASlotIsTakenFromTheStartUntilTheLastJobIsDone) {
  PlatformSpec spec = round_board();
  spec.apps[0].unit[kBig].mcycles = 400;            // 400 ms at 1 GHz
  AppSpec guest = between("guest", 100, 200, 290);  // one job, released at 200
  const Scenario scenario = of_apps({stream("camera", 5000, 5000), guest});
  Simulator sim(spec, scenario);
  Action action = big_core(spec);
  action.opp[kBig] = 0;
  sim.apply(action);
  Observation out;
  sim.observe(out);
  EXPECT_EQ(out.app_count, 2);
  EXPECT_TRUE(out.app[0].bound());
  EXPECT_FALSE(out.app[1].bound());
  EXPECT_FALSE(out.app[1].active);
  const std::uint32_t version = out.roster_version;
  sim.advance(ms(199), out);
  EXPECT_EQ(out.roster_version, version);
  sim.advance(ms(1), out);  // to 200 ms
  EXPECT_TRUE(out.app[1].bound());
  EXPECT_EQ(out.app[1].generation, 1u);
  EXPECT_TRUE(out.app[1].active);
  EXPECT_TRUE(out.app[1].running.busy);
  EXPECT_EQ(out.roster_version, version + 1);
  sim.advance(ms(100), out);  // to 300: it has stopped and drains
  EXPECT_FALSE(out.app[1].active);
  EXPECT_TRUE(out.app[1].bound());
  EXPECT_EQ(out.app[1].backlog, 1u);
  EXPECT_EQ(out.roster_version, version + 1);
  sim.advance(ms(299), out);  // to 599
  EXPECT_TRUE(out.app[1].bound());
  sim.advance(ms(2), out);
  EXPECT_EQ(out.app[1].finished, 1u) << "the job counts in the epoch in which the slot is freed";
  EXPECT_EQ(out.app[1].generation, 2u);
  EXPECT_FALSE(out.app[1].bound());
  EXPECT_EQ(out.roster_version, version + 2);
  ASSERT_EQ(out.job_count, 1u);
  EXPECT_EQ(out.jobs()[0].app, 1);
  sim.advance(ms(1000), out);
  EXPECT_EQ(out.app[1].generation, 2u);
  EXPECT_EQ(out.app[1].released, 0u);
  EXPECT_EQ(out.roster_version, version + 2);
  EXPECT_EQ(out.app[0].generation, 1u);
}

TEST(Roster, AnApplicationWithNothingToDoLeavesWhenItStops) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({between("guest", 100, 0, 150)});  // 0 and 100 ms
  Simulator sim(spec, scenario);
  Action action = big_core(spec, 1);
  action.app[0].mapping = mapping_of(spec, kBig, 4);
  sim.apply(action);
  Observation out;
  sim.advance(ms(149), out);
  EXPECT_TRUE(out.app[0].bound());
  EXPECT_EQ(out.app[0].finished, 2u);
  sim.advance(ms(1), out);
  EXPECT_EQ(out.app[0].generation, 2u);
}

// 64 applications: one is always there, the others come and go after each other.
TEST(Roster, HasSixtyFourSlots) {
  PlatformSpec spec = round_board();
  for (UnitProfile& unit : spec.apps[0].unit) unit.mcycles /= 20;
  std::vector<AppSpec> apps;
  std::vector<std::string> names;
  for (int a = 0; a < kMaxApps; ++a) {
    names.push_back("app" + std::to_string(a));
    apps.push_back(between(names.back().c_str(), 100, 10 * a, a == 0 ? 5000 : 10 * a + 500));
  }
  const Scenario scenario = of_apps(apps, 4000);
  Simulator sim(spec, scenario);
  Random random(2);
  Observation out;
  std::array<std::uint64_t, kMaxApps> released{}, finished{}, dropped{}, recorded{};
  std::array<std::uint32_t, kMaxApps> generation{};
  std::uint32_t version = 0, turns = 0, first = 0;
  sim.observe(out);
  first = version = out.roster_version;
  for (int a = 0; a < kMaxApps; ++a) generation[a] = out.app[a].generation;
  Status status = Status::kOk;
  while (status == Status::kOk) {
    Action action = big_core(spec, 1, kMaxApps);
    for (AppSetting& app : action.app) {
      app = {static_cast<std::uint8_t>(random.below(9)),
             static_cast<std::uint8_t>(random.below(2))};
    }
    sim.apply(action);
    status = sim.advance(ms(7), out);
    ASSERT_EQ(out.app_count, kMaxApps);
    ASSERT_EQ(out.jobs_unlisted, 0u);
    bool turned = false;
    for (int a = 0; a < kMaxApps; ++a) {
      const AppObservation& app = out.app[a];
      released[a] += app.released;
      finished[a] += app.finished;
      dropped[a] += app.dropped;
      turned = turned || app.generation != generation[a];
      turns += app.generation - generation[a];
      generation[a] = app.generation;
      ASSERT_TRUE(app.bound() || app.backlog == 0);
      ASSERT_EQ(app.backlog, released[a] - finished[a] - dropped[a]);
      ASSERT_EQ(sim.binding(a).name, names[static_cast<std::size_t>(a)]);
    }
    ASSERT_EQ(turned, out.roster_version != version);
    version = out.roster_version;
    for (const JobRecord& job : out.jobs()) ++recorded[job.app];
  }
  EXPECT_EQ(version - first, turns);
  for (int a = 0; a < kMaxApps; ++a) {
    EXPECT_GE(finished[a], 1u) << a;
    EXPECT_EQ(recorded[a], finished[a] + dropped[a]) << a;
    EXPECT_EQ(generation[a], a == 0 ? 1u : 2u) << a;
  }
}

void fill(void* at, std::size_t bytes, unsigned char with) { std::memset(at, with, bytes); }

// With two clusters, one application and one job a copy moves 1160 of 51,992 bytes: the head (88), the
// clusters (120 each), the record (72) and the slot (760).
TEST(Observation, ACopyTakesWhatIsInUseAndNothingElse) {
  Observation from, to;
  from.cluster_count = 2;
  from.app_count = 1;
  from.job_count = 1;
  from.now_ns = 77;
  from.held = 5;
  fill(static_cast<void*>(from.cluster.data()), sizeof from.cluster, 0x11);
  fill(static_cast<void*>(from.job_store.data()), sizeof from.job_store, 0x11);
  fill(static_cast<void*>(from.app.data()), sizeof from.app, 0x11);
  fill(static_cast<void*>(to.cluster.data()), sizeof to.cluster, 0x22);
  fill(static_cast<void*>(to.job_store.data()), sizeof to.job_store, 0x22);
  fill(static_cast<void*>(to.app.data()), sizeof to.app, 0x22);
  Observation untouched;
  fill(static_cast<void*>(untouched.app.data()), sizeof untouched.app, 0x22);
  fill(static_cast<void*>(untouched.cluster.data()), sizeof untouched.cluster, 0x22);
  fill(static_cast<void*>(untouched.job_store.data()), sizeof untouched.job_store, 0x22);
  to = from;
  EXPECT_EQ(to.now_ns, 77);
  EXPECT_EQ(to.held, 5u);
  EXPECT_EQ(to.job_count, 1u);
  const auto same = [](const auto& a, const auto& b) { return std::memcmp(&a, &b, sizeof a) == 0; };
  for (std::size_t c = 0; c < to.cluster.size(); ++c) {
    EXPECT_TRUE(same(to.cluster[c], c < 2 ? from.cluster[c] : untouched.cluster[c])) << c;
  }
  for (std::size_t j = 0; j < to.job_store.size(); ++j) {
    EXPECT_TRUE(same(to.job_store[j], j < 1 ? from.job_store[j] : untouched.job_store[j])) << j;
  }
  for (std::size_t a = 0; a < to.app.size(); ++a) {
    EXPECT_TRUE(same(to.app[a], a < 1 ? from.app[a] : untouched.app[a])) << a;
  }
  const std::size_t head =
      sizeof(Observation) - sizeof from.cluster - sizeof from.job_store - sizeof from.app;
  EXPECT_LE(head + 2 * sizeof(ClusterObservation) + sizeof(JobRecord) + sizeof(AppObservation),
            1280u);
  EXPECT_LE(sizeof(Observation), 54u * 1024);
}

}  // namespace
}  // namespace flyball
