// `flyball audit` on trees of files whose power follows the clock that is allowed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "governor/machine/audit_figures.h"
#include "tests/status/governed.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(AuditSchedule, DrawsTheOrderOfEachRoundAnewAndTheSameFromASeed) {
  const auto schedule = audit_schedule(100, 7);
  ASSERT_EQ(schedule.size(), 300u);
  EXPECT_EQ(schedule, audit_schedule(100, 7));
  EXPECT_NE(schedule, audit_schedule(100, 8));
  std::set<std::vector<AuditArm>> orders;
  for (std::size_t r = 0; r < 300; r += 3) {
    const std::vector<AuditArm> order(schedule.begin() + static_cast<std::ptrdiff_t>(r),
                                      schedule.begin() + static_cast<std::ptrdiff_t>(r) + 3);
    EXPECT_EQ(std::set<AuditArm>(order.begin(), order.end()).size(), 3u) << "each arm once";
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 6u);
}

TEST(AuditFigures, AreDifferencesWithinARound) {
  // Load that doubles from round to round, of which flyball always takes 100 mW less.
  std::vector<AuditBlock> blocks;
  const AuditArm orders[][3] = {{AuditArm::kFlyball, AuditArm::kLinux, AuditArm::kShadow},
                                {AuditArm::kShadow, AuditArm::kLinux, AuditArm::kFlyball},
                                {AuditArm::kLinux, AuditArm::kFlyball, AuditArm::kShadow}};
  double mw = 500;
  for (const auto& order : orders) {
    for (const AuditArm arm : order) {
      AuditBlock block;
      block.arm = arm;
      block.ns = 2e9;
      block.energy_mj = 2 * (arm == AuditArm::kFlyball ? mw - 100
                             : arm == AuditArm::kLinux ? mw
                                                       : 1);
      block.own_cpu_ns = arm == AuditArm::kFlyball ? 2e6 : 0;
      blocks.push_back(block);
    }
    mw *= 2;
  }
  blocks.push_back({});  // of a round that is not complete
  const auto figures = audit_figures(blocks);
  EXPECT_EQ(figures[0].key, "power_mw");
  EXPECT_NEAR(figures[0].linux_governor.mean, 3500.0 / 3, 1e-9);
  EXPECT_NEAR(figures[0].difference.mean, -100, 1e-9);
  EXPECT_NEAR(figures[0].difference.hi, -100, 1e-9);
  EXPECT_GT(figures[0].linux_governor.hi - figures[0].linux_governor.lo, 1000);
  EXPECT_NEAR(figures.back().difference.mean, 0.1, 1e-9) << "% of a core";
  EXPECT_TRUE(std::isnan(figures[1].difference.mean)) << "nobody says how long tasks waited";
}

/// A machine of files. Its big cores take 2 W, and where their power follows the clock that is
/// allowed, 1 W below 2000 MHz.
class Plays {
 public:
  explicit Plays(bool follows_clock) : load_((tree_.make_xu3(), tree_), 0.4) {
    std::filesystem::create_directories(tree_.path("/run"));
    thread_ = std::thread([this, follows_clock] {
      while (!stop_) {
        const bool capped = tree_.line(LinuxTree::policy(4) + "scaling_max_freq") != "2000000";
        // In place: a sensor is never empty, as a file that is written anew is for a moment.
        std::fstream(tree_.path("/sys/bus/i2c/drivers/INA231/3-0040/sensor_W"),
                     std::ios::in | std::ios::out)
            << (follows_clock && capped ? "1.000\n" : "2.000\n");
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
  }
  ~Plays() {
    stop_ = true;
    thread_.join();
  }
  const LinuxTree& tree() const { return tree_; }
  Finished audit(const std::vector<std::string>& more) const {
    std::vector<std::string> words = {"audit", "--sysfs-root", tree_.root(), "--state-dir",
                                      tree_.path("/run/flyball")};
    words.insert(words.end(), more.begin(), more.end());
    return flyball_run(words);
  }

 private:
  LinuxTree tree_;
  PlayedLoad load_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST(CliAudit, SeesASavingThatIsThereAndGivesEverythingBack) {
  FLYBALL_STARTS_PROGRAMS();
  const Plays machine(true);
  const std::string before = machine.tree().line(LinuxTree::policy(4) + "scaling_max_freq");
  // The lowest clock is below 2000 MHz, whatever is seen of the load.
  const Finished told =
      machine.audit({"--minutes", "0.0376", "--block", "0.25", "--policy", "powersave", "--json"});
  ASSERT_EQ(told.exit_code, 0) << told.err;
  const json result = json::parse(told.out);
  EXPECT_EQ(result.at("rounds"), 3);
  EXPECT_EQ(result.at("power_source"), "rails A15, memory, GPU, A7 by INA231");
  EXPECT_EQ(result.at("linux_governors"), (json{"schedutil", "schedutil"}));
  EXPECT_LT(result.at("power_mw").at("difference").at("mean"), 0);
  EXPECT_GE(result.at("own_cpu_pct").at("flyball").at("mean"), 0.0);
  EXPECT_FALSE(result.at("predicted_difference_mw").is_null());
  EXPECT_EQ(machine.tree().line(LinuxTree::policy(4) + "scaling_max_freq"), before);
}

TEST(CliAudit, SeesNoneWhereThereIsNone) {
  FLYBALL_STARTS_PROGRAMS();
  const Plays machine(false);
  const Finished told = machine.audit({"--minutes", "0.0301", "--block", "0.2"});
  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, HasSubstr("cannot be told from 3 rounds"));
  EXPECT_THAT(told.out, HasSubstr("Not known here: work"));
}

TEST(CliAudit, SaysWhatCannotBeMeasuredHereAndChangesNothing) {
  const LinuxTree tree;
  tree.make_xu3();
  const auto audited = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"audit", "--sysfs-root", tree.root(), "--state-dir",
                                      tree.path("/run/flyball")};
    words.insert(words.end(), more.begin(), more.end());
    return flyball_run(words);
  };
  const Finished few = audited({"--minutes", "1"});
  EXPECT_EQ(few.exit_code, 2);
  EXPECT_THAT(few.err, HasSubstr("makes 2 rounds of three blocks of 10 s, too few"));
  tree.remove("/sys/bus/i2c");
  const Finished blind = audited({});
  EXPECT_EQ(blind.exit_code, 1);
  EXPECT_THAT(blind.err, HasSubstr("nothing measures power"));
  EXPECT_EQ(blind.out, "");
  EXPECT_FALSE(std::filesystem::exists(tree.path("/run/flyball")));
}

}  // namespace
}  // namespace flyball::testing
