// A governor's tunables go with it, and are given back after it.

#include "governor/supervisor/tunables.h"

#include <gmock/gmock.h>

#include "tests/supervisor/fake_machine.h"

namespace flyball::testing {
namespace {

class TunablesTest : public MachineFixture {
 protected:
  TunablesTest() {
    for (const char* folder : {"policy0/ondemand", "ondemand"}) {
      std::filesystem::create_directories(root() + setting_path(folder));
    }
    write("policy0/scaling_governor", "ondemand");
    write("policy0/ondemand/up_threshold", "70");
    write("ondemand/io_is_busy", "1");
  }
  /// As the Linux kernel does when the governor goes and comes back.
  void forget() {
    write("policy0/ondemand/up_threshold", "95");
    write("ondemand/io_is_busy", "0");
  }
  int take_governor() {
    const auto path = setting_path("policy0/scaling_governor");
    const int governor = *file_.take(SettingKind::kGovernor, path, "ondemand");
    EXPECT_TRUE(take_tunables(file_, governor));
    file_.intend(governor, "userspace");
    write("policy0/scaling_governor", "userspace");
    file_.written(governor, "userspace");
    return governor;
  }
};

TEST_F(TunablesTest, AreTakenWithTheGovernorAndGivenBackAfterIt) {
  take_governor();
  EXPECT_EQ(file_.count(), 3);
  forget();
  EXPECT_EQ(give_back_all().count(Returned::kGivenBack), 3);
  EXPECT_EQ(read("policy0/ondemand/up_threshold"), "70");
  EXPECT_EQ(read("ondemand/io_is_busy"), "1");
}

TEST_F(TunablesTest, AGovernorThatIsHandedOverAndTakenAgainKeepsThem) {
  const int governor = take_governor();
  for (int round = 0; round < 3; ++round) {
    write("policy0/scaling_governor", "ondemand");
    forget();
    file_.set_state(governor, SettingState::kGivenBack);
    give_back_tunables(file_, governor);
    EXPECT_EQ(read("policy0/ondemand/up_threshold"), "70");
    EXPECT_EQ(read("ondemand/io_is_busy"), "1");
    ASSERT_TRUE(file_.retake(governor, "ondemand"));
    ASSERT_TRUE(take_tunables(file_, governor));
    EXPECT_EQ(file_.count(), 3);
  }
  // What the user tunes while the governor is not ours is what is given back next.
  file_.set_state(governor, SettingState::kGivenBack);
  give_back_tunables(file_, governor);
  write("policy0/ondemand/up_threshold", "80");
  file_.retake(governor, "ondemand");
  take_tunables(file_, governor);
  forget();
  file_.set_state(governor, SettingState::kGivenBack);
  give_back_tunables(file_, governor);
  EXPECT_EQ(read("policy0/ondemand/up_threshold"), "80");
}

TEST_F(TunablesTest, AFullFileSaysSo) {
  file_ = SettingsFile::create(make_state(), root(), 2);
  const int governor =
      *file_.take(SettingKind::kGovernor, setting_path("policy0/scaling_governor"), "ondemand");
  EXPECT_FALSE(take_tunables(file_, governor));
}

}  // namespace
}  // namespace flyball::testing
