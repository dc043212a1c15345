// What the loop pays for being watched.

#include "governor/status/status_sink.h"

#include <gtest/gtest.h>

#include <optional>

#include "governor/status/status_memory.h"
#include "tests/env/linux_tree.h"
#include "tests/governor/allocation_count.h"

namespace flyball {
namespace {

class StatusSinkTest : public ::testing::Test {
 protected:
  StatusSinkTest() {
    tree_.make_xu3();
    const SysTree sys(tree_.root());
    LinuxOptions options;
    options.dry_run = true;
    platform_.emplace(sys, discover_machine(sys), options);
    sink_.emplace(*platform_, memory_.page());
    sink_->begin({});
    for (Observation* each : {&before_, &outcome_}) {
      platform_->observe(*each);
      each->epoch_ns = 100'000'000;
      for (int c = 0; c < each->cluster_count; ++c)
        each->cluster[static_cast<std::size_t>(c)].opp_cap = 5;
    }
  }
  /// An epoch in which the big cluster was busy for `busiest` at operating point `opp`.
  void play(double busiest, int opp) {
    before_ = outcome_;
    ClusterObservation& big = outcome_.cluster[1];
    const std::int64_t khz =
        platform_->spec().clusters[1].opps[static_cast<std::size_t>(opp)].freq_khz;
    big.util_max = busiest;
    big.util_mean = busiest / 4;
    big.freq_khz = big.asked_khz = khz;
    big.opp = big.asked_opp = static_cast<std::uint8_t>(opp);
    outcome_.energy_mj = 200;
    const EpochEvent event{before_, decision_, decision_.action, Shield::Verdict::kPassed, outcome_,
                           reward_, 0};
    sink_->on_epoch(event);
  }

  testing::LinuxTree tree_;
  StatusMemory memory_;
  std::optional<LinuxPlatform> platform_;
  std::optional<StatusSink> sink_;
  Observation before_, outcome_;
  Decision decision_;
  Reward reward_;
};

TEST_F(StatusSinkTest, AllocatesNothing) {
  play(0.5, 3);
  const auto before = test::allocations();
  for (int i = 0; i < 200; ++i) play(0.5, i % 5);
  sink_->note("somebody has set policy4");
  EXPECT_EQ(test::allocations(), before);
}

TEST_F(StatusSinkTest, MeansAreOfASecondAndWeighedByBusyTime) {
  const StatusView view{FileDescriptor(dup(memory_.read_only()))};
  for (int i = 0; i < 5; ++i) play(0.8, 2);  // 800 MHz
  EXPECT_EQ(view.now().window_ns, 0);
  for (int i = 0; i < 5; ++i) play(0.2, 5);  // 2000 MHz
  const StatusNow now = view.now();
  EXPECT_EQ(now.window_ns, 1'000'000'000);
  EXPECT_NEAR(now.cluster[1].busiest, 0.5, 1e-9);
  EXPECT_NEAR(now.cluster[1].busy, 0.125, 1e-9);
  EXPECT_NEAR(now.cluster[1].delivered_khz, 0.8 * 800e3 + 0.2 * 2000e3, 1e-3);
  EXPECT_NEAR(now.power_mw, 2000, 1e-6);
  EXPECT_EQ(now.cluster[1].decisions, 2u);  // changes of the clock
}

TEST_F(StatusSinkTest, AFigureIsMeasuredOrModelledByItself) {
  const StatusView view{FileDescriptor(dup(memory_.read_only()))};
  // The board has sensors, and none has told anything yet.
  for (int i = 0; i < 10; ++i) play(0.5, 3);
  ASSERT_EQ(view.now().window_ns, 1'000'000'000);
  EXPECT_EQ(view.now().measured_share, 0);
  EXPECT_EQ(view.now().energy_measured_mj, 0);
  for (int i = 0; i < 5; ++i) play(0.5, 3);
  platform_->apply({});
  platform_->advance({.interval_ns = 1'000'000}, outcome_);
  outcome_.epoch_ns = 100'000'000;
  ASSERT_TRUE(platform_->power_measured());
  for (int i = 0; i < 5; ++i) play(0.5, 3);
  EXPECT_NEAR(view.now().measured_share, 0.5, 1e-9);
  EXPECT_NEAR(view.now().energy_measured_mj, 5 * 200, 1e-9);
  for (int i = 0; i < 10; ++i) play(0.5, 3);
  EXPECT_EQ(view.now().measured_share, 1);
}

TEST_F(StatusSinkTest, ADecisionHasWhatWasExpectedAndWhatCame) {
  const StatusView view{FileDescriptor(dup(memory_.read_only()))};
  for (int i = 0; i < 20; ++i) play(0.6, 4);  // 960 of 1600 MHz, until that is known
  play(0.8, 3);
  const std::vector<PlainDecision> last = view.decisions(1);
  ASSERT_EQ(last.size(), 1u);
  EXPECT_EQ(last[0].last_asked_khz, 1600000);
  EXPECT_EQ(last[0].asked_khz, 1200000);
  EXPECT_NEAR(last[0].seen_busiest, 0.6, 1e-6);
  EXPECT_NEAR(last[0].chosen_busiest, 0.8, 1e-3);  // as many cycles
  EXPECT_NEAR(last[0].out_busiest, 0.8, 1e-6);
  EXPECT_NEAR(last[0].chosen_mw, last[0].out_mw, 0.01 * last[0].out_mw);
  // The others that leave a fifth free are 1600 and 2000 MHz, and of those the slower takes less.
  EXPECT_EQ(last[0].next_khz, 1600000);
}

}  // namespace
}  // namespace flyball
