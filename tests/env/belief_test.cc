#include "env/model/belief.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/model/model.h"
#include "kernels/base/error.h"
#include "tests/env/round_board.h"

namespace flyball {
namespace {

using ::testing::HasSubstr;

template <class Change>
std::string complaint(Change change) {
  const PlatformSpec truth = round_board();
  Belief belief = Belief::of(round_board());
  belief.mean.name = "guess";
  change(belief.mean);
  try {
    check_belief(belief, truth);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::kInput);
    EXPECT_THAT(error.what(), HasSubstr("belief 'guess'"));
    EXPECT_THAT(error.what(), HasSubstr("not in what can be turned"));
    return error.what();
  }
  return "";
}

TEST(Belief, MayBeWrongAboutEveryCost) {
  EXPECT_EQ(complaint([](PlatformSpec& s) {
              for (ClusterSpec& cluster : s.clusters) {
                cluster.uncore_nf *= 3;
                cluster.leak_a *= 2;
                cluster.opps[0].voltage_mv += 50;
              }
              s.apps[0].unit[kBig].mcycles *= 2;
              s.apps[0].levels[0].time_factor = 0.7;
              s.thermal.clear();
              s.board_mw = 0;
            }),
            "");
  // Or not know an application at all.
  EXPECT_EQ(complaint([](PlatformSpec& s) { s.apps.erase(s.apps.begin()); }), "");
}

TEST(Belief, IsRefusedWithTheFirstKnobThatDiffers) {
  EXPECT_THAT(complaint([](PlatformSpec& s) { s.clusters.pop_back(); }),
              HasSubstr("it has 1 clusters and platform 'round' 2"));
  EXPECT_THAT(complaint([](PlatformSpec& s) { s.clusters[1].name = "small"; }),
              HasSubstr("its cluster 'small' is called 'little' there (platform 'round')"));
  EXPECT_THAT(complaint([](PlatformSpec& s) { s.clusters[0].cores = 2; }),
              HasSubstr("its cluster 'big' has 2 cores and there 4"));
  EXPECT_THAT(complaint([](PlatformSpec& s) { s.clusters[0].kind = ClusterSpec::Kind::kGpu; }),
              HasSubstr("its cluster 'big' is of another kind"));
  EXPECT_THAT(complaint([](PlatformSpec& s) { s.clusters[0].opps.pop_back(); }),
              HasSubstr("its cluster 'big' has 1 operating points and there 2"));
  EXPECT_THAT(complaint([](PlatformSpec& s) { s.clusters[1].opps[1].freq_khz = 1'100'000; }),
              HasSubstr("its cluster 'little' has 1100000 kHz where it has 1000000 there"));
  EXPECT_THAT(complaint([](PlatformSpec& s) { s.mappings.pop_back(); }),
              HasSubstr("it has other mappings than platform 'round'"));
  EXPECT_THAT(complaint([](PlatformSpec& s) { std::swap(s.mappings[0], s.mappings[5]); }),
              HasSubstr("it has other mappings than platform 'round'"));
  EXPECT_THAT(complaint([](PlatformSpec& s) { s.apps[0].levels.pop_back(); }),
              HasSubstr("its application 'net' has other levels than on platform 'round'"));
  EXPECT_THAT(complaint([](PlatformSpec& s) { s.apps[0].knobs[0].values[0] = "25"; }),
              HasSubstr("its application 'net' has other levels than on platform 'round'"));
  // Of several the first.
  EXPECT_THAT(complaint([](PlatformSpec& s) {
                s.clusters[1].cores = 1;
                s.clusters[0].opps[0].freq_khz = 7;
                s.apps[0].levels.pop_back();
              }),
              HasSubstr("its cluster 'big' has 7 kHz"));
}

const Binding kDeclared = with_widths(
    "camera", "stranger",
    {{.width_pct = 50, .accuracy_pct = 58, .int8 = true}, {.width_pct = 100, .accuracy_pct = 70}});

TEST(NeutralProfile, TakesHalfTheDeadlineOnOneBigCore) {
  PlatformSpec spec = round_board();
  const AppProfile app = neutral_profile(spec, kDeclared, 40 * kMs);
  EXPECT_EQ(app.name, "stranger");
  EXPECT_FALSE(app.plain_load);
  const OppChoice top = highest_opps(spec);
  const auto ns = [&](int cluster, int cores, int level) {
    return execution_ns(spec, app, spec.mappings[mapping_of(spec, cluster, cores)], level, top);
  };
  EXPECT_NEAR(ns(kBig, 1, 1), 20e6, 1);
  // A LITTLE core has half the capacity per MHz and half the clock.
  EXPECT_NEAR(ns(kLittle, 1, 1), 80e6, 1);
  EXPECT_NEAR(ns(kBig, 1, 0), 10e6, 1);
  EXPECT_LT(ns(kBig, 2, 1), ns(kBig, 1, 1));
  EXPECT_GT(ns(kBig, 4, 1), ns(kBig, 1, 1) / 4);
  ASSERT_EQ(app.level_count(), 2);
  EXPECT_TRUE(network_level(app, 0).int8);
  EXPECT_EQ(app.levels[1].accuracy_pct, 70);
  EXPECT_EQ(app.level_for(60), 1);
}

TEST(NeutralProfile, HasTheMeanPowerOfWhatIsKnownAndSomeWhereNothingIs) {
  PlatformSpec spec = round_board();
  AppProfile app = neutral_profile(spec, kDeclared, 40 * kMs);
  EXPECT_DOUBLE_EQ(app.unit[kBig].core_nf, 0.55);  // of 0.5 and 0.6
  EXPECT_DOUBLE_EQ(app.unit[kLittle].core_nf, 0.1);
  spec.apps.clear();
  app = neutral_profile(spec, kDeclared, 40 * kMs);
  EXPECT_GT(app.unit[kBig].core_nf, 0);
  EXPECT_LT(app.unit[kBig].core_nf, 2);
}

TEST(NeutralProfile, RunsOnCpusAndNeedsNoDeadline) {
  PlatformSpec spec = round_board();
  spec.clusters[kLittle].kind = ClusterSpec::Kind::kGpu;
  const AppProfile app = neutral_profile(spec, kDeclared, 0);
  EXPECT_TRUE(app.unit[kBig].supported);
  EXPECT_FALSE(app.unit[kLittle].supported);
  const double ns =
      execution_ns(spec, app, spec.mappings[mapping_of(spec, kBig, 1)], 1, highest_opps(spec));
  EXPECT_NEAR(ns, 50e6, 1);  // as if it had 100 ms
}

// Of other knobs nothing is known but their order: more of each takes longer.
TEST(NeutralProfile, ExpectsMoreOfAnyKnobToTakeLonger) {
  Binding app;
  app.name = "camera";
  app.profile = "stranger";
  app.knobs = {{"resolution", "px", {"160", "640"}}, {"model", "", {"s", "m", "l", "xl"}}};
  app.levels = {{{0, 0}, 40}, {{0, 3}, 50}, {{1, 1}, 60}, {{1, 3}, 70}};
  const AppProfile profile = neutral_profile(round_board(), app, 40 * kMs);
  EXPECT_EQ(profile.knobs, app.knobs);
  ASSERT_EQ(profile.level_count(), 4);
  EXPECT_DOUBLE_EQ(profile.levels[0].time_factor, 0.25 * 0.25);
  EXPECT_DOUBLE_EQ(profile.levels[1].time_factor, 0.25);
  EXPECT_DOUBLE_EQ(profile.levels[2].time_factor, 0.5);
  EXPECT_DOUBLE_EQ(profile.levels[3].time_factor, 1);
  EXPECT_EQ(profile.levels[2].knob, (KnobValues{1, 1}));
}

}  // namespace
}  // namespace flyball
