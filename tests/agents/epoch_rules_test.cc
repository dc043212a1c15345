// What holds for every agent within an epoch: no allocation, every index within the platform's
// tables, a readable explanation.

#include <gtest/gtest.h>

#include <cstring>

#include "agents/explain.h"
#include "env/model/model.h"
#include "kernels/base/random.h"
#include "tests/agents/tiny_platform.h"
#include "tests/governor/allocation_count.h"

namespace flyball {
namespace {

class NullForesight final : public Foresight {
  Outcome preview(const Action& action, int) const override {
    return {action.opp[0] * 1'000'000, 10.0 + action.opp[0], true};
  }
  std::size_t next_releases(int, std::span<std::int64_t>) const override { return 0; }
};

/// An arbitrary but possible observation.
Observation arbitrary(const TinyWorld& world, Random& rng, std::int64_t now_ns,
                      const Action& action) {
  Observation o =
      rng.below(3) == 0 ? world.release(now_ns, 10'000'000) : world.idle(now_ns, 10'000'000);
  for (int c = 0; c < o.cluster_count; ++c) {
    o.cluster[c].opp_cap =
        static_cast<std::uint8_t>(rng.below(world.platform.clusters[c].opps.size()));
    world.set_opp(o, c, std::min<int>(action.opp[c], o.cluster[c].opp_cap));
    o.cluster[c].util_max = rng.uniform();
    o.cluster[c].util_mean = rng.uniform() * o.cluster[c].util_max;
    o.cluster[c].temp_c = rng.uniform(20, 100);
  }
  AppObservation& app = o.app[0];
  app.setting = app.last_setting = action.app[0];
  app.active = rng.below(20) != 0;
  app.required.accuracy_floor_pct = rng.uniform(0, 80);
  app.required.deadline_ns =
      rng.below(10) == 0 ? 0 : static_cast<std::int64_t>(rng.uniform(1e6, 1e8));
  if (rng.below(4) == 0) {
    app.backlog = rng.below(5);
    app.oldest_release_ns = now_ns - static_cast<std::int64_t>(rng.below(100'000'000));
  }
  for (std::uint32_t i = rng.below(3); i > 0; --i) {
    JobRecord job;
    job.start_ns = now_ns - 8'000'000;
    job.finish_ns = now_ns - 1'000'000 * i;
    job.setting = action.app[0];
    job.missed = rng.below(5) == 0;
    job.dropped = rng.below(20) == 0;
    job.energy_mj = rng.uniform(0, 20);
    o.add_job(job);
    ++app.finished;
  }
  return o;
}

TEST(EpochRules, NoAllocationAndEveryIndexInRange) {
  TinyWorld world;
  const NullForesight foresight;
  world.foresight = &foresight;
  for (const AgentInfo& info : agent_catalogue()) {
    std::string policy(info.name);
    if (policy == "userspace") policy += ":1000000";
    if (policy == "static_best") policy += ":big=2000000;camera=bigx1@100";
    // These choose by table; the platform's cap is above them.
    const bool ignores_cap = info.name == "static_best" || policy == "prime" || policy == "rule";
    const auto agent = world.make(policy);
    Random rng(11);
    Action action;
    const auto before = test::allocations();
    for (int i = 0; i < 5000; ++i) {
      const Observation now = arbitrary(world, rng, std::int64_t{i} * 10'000'000, action);
      if (i > 0) agent->learn(now, action, -rng.uniform());
      agent->decide(now, action);
      const Explanation& why = agent->why();
      ASSERT_LT(strnlen(why.text, sizeof(why.text)), sizeof(why.text)) << policy;
      for (int c = 0; c < 2; ++c) {
        ASSERT_LE(action.opp[c], world.platform.clusters[c].max_opp()) << policy;
        if (!ignores_cap) {
          ASSERT_LE(action.opp[c], now.cluster[c].opp_cap) << policy << " at " << i;
        }
      }
      ASSERT_LT(action.app[0].mapping, world.platform.mappings.size()) << policy;
      ASSERT_LT(action.app[0].level, 4) << policy;
      for (std::size_t c = 2; c < kMaxClusters; ++c) ASSERT_EQ(action.opp[c], 0) << policy;
      for (std::size_t a = 1; a < kMaxApps; ++a) ASSERT_EQ(action.app[a], AppSetting{}) << policy;
    }
    EXPECT_EQ(test::allocations(), before) << policy;
  }
}

TEST(Explain, CutsAtAWord) {
  Explanation why;
  explain(why, "short {}", 7);
  EXPECT_STREQ(why.text, "short 7");
  std::string longer;
  for (int i = 0; i < 40; ++i) longer += "word ";
  explain(why, "{}", longer);
  EXPECT_LT(std::strlen(why.text), sizeof(why.text));
  EXPECT_EQ(std::string(why.text).substr(std::strlen(why.text) - 6), "word..");
  explain(why, "{}", std::string(95, 'x'));
  EXPECT_EQ(std::strlen(why.text), 95u);
}

}  // namespace
}  // namespace flyball
