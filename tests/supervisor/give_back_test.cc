// Everything that we changed is given back, nothing that somebody else has changed since, and no
// setting stands in another one's way.

#include "governor/supervisor/give_back.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cerrno>
#include <fstream>
#include <random>
#include <sstream>

#include "tests/supervisor/fake_machine.h"

namespace flyball::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using GiveBackTest = MachineFixture;

TEST_F(GiveBackTest, GivesBackGovernorAndLimitsOfEveryPolicy) {
  for (const std::string policy : {"policy0/", "policy4/"}) {
    take_over(SettingKind::kMinimum, policy + "scaling_min_freq", "1000000");
    take_over(SettingKind::kMaximum, policy + "scaling_max_freq", "1000000");
    take_over(SettingKind::kGovernor, policy + "scaling_governor", "userspace");
  }
  const GiveBackResult result = give_back_all();
  EXPECT_EQ(result.count(Returned::kGivenBack), 6);
  EXPECT_EQ(result.missing(), 0);
  for (const std::string policy : {"policy0/", "policy4/"}) {
    EXPECT_EQ(read(policy + "scaling_governor"), "schedutil");
    EXPECT_EQ(read(policy + "scaling_min_freq"), "200000");
    EXPECT_EQ(read(policy + "scaling_max_freq"), "2000000");
  }
  EXPECT_TRUE(give_back_all().settings.empty());  // all done
}

TEST_F(GiveBackTest, LeavesWhatSomebodyElseHasChanged) {
  const int governor = take_over(SettingKind::kGovernor, "policy0/scaling_governor", "userspace");
  const int limit = take_over(SettingKind::kMaximum, "policy0/scaling_max_freq", "1000000");
  write("policy0/scaling_governor", "performance");
  const GiveBackResult result = give_back_all();
  EXPECT_EQ(outcome(result, governor), Returned::kLeft);
  EXPECT_EQ(read("policy0/scaling_governor"), "performance");
  EXPECT_EQ(outcome(result, limit), Returned::kGivenBack);
  EXPECT_EQ(result.missing(), 0);  // as it should be
  EXPECT_THAT(
      report_text(result),
      HasSubstr("policy0/scaling_governor: left at 'performance': somebody else has changed "
                "it since\n"));
  // Nor later, when it happens to read as we had it.
  write("policy0/scaling_governor", "userspace");
  EXPECT_TRUE(give_back_all().settings.empty());
  EXPECT_EQ(read("policy0/scaling_governor"), "userspace");
}

TEST_F(GiveBackTest, ASettingTakenAndNeverWrittenIsNotTouched) {
  const auto setting =
      file_.take(SettingKind::kMaximum, setting_path("policy0/scaling_max_freq"), "2000000");
  EXPECT_EQ(outcome(give_back_all(), *setting), Returned::kWasBack);
  // Somebody else changes it between our taking it and our death.
  const auto another =
      file_.take(SettingKind::kMaximum, setting_path("policy4/scaling_max_freq"), "2000000");
  write("policy4/scaling_max_freq", "1500000");
  EXPECT_EQ(outcome(give_back_all(), *another), Returned::kLeft);
  EXPECT_EQ(read("policy4/scaling_max_freq"), "1500000");
}

TEST_F(GiveBackTest, AWriteThatWasAboutToBeMadeIsGivenBackWhetherItWasMadeOrNot) {
  for (const bool made : {false, true}) {
    const int setting = take_over(SettingKind::kMaximum, "policy0/scaling_max_freq", "1000000");
    file_.intend(setting, "800000");
    if (made) write("policy0/scaling_max_freq", "800000");
    EXPECT_EQ(outcome(give_back_all(), setting), Returned::kGivenBack) << made;
    EXPECT_EQ(read("policy0/scaling_max_freq"), "2000000");
  }
}

TEST_F(GiveBackTest, ARoundedValueIsStillOurs) {
  const int setting = take_over(SettingKind::kMaximum, "policy0/scaling_max_freq", "1000000");
  file_.intend(setting, "1100000");
  write("policy0/scaling_max_freq", "1200000");
  file_.written(setting, "1200000");
  EXPECT_EQ(outcome(give_back_all(), setting), Returned::kGivenBack);
  EXPECT_EQ(read("policy0/scaling_max_freq"), "2000000");
}

/// The writes in their order, one "name value" each.
std::vector<std::string> writes() {
  std::vector<std::string> lines;
  std::istringstream text(file_text(Faults::log));
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

TEST_F(GiveBackTest, GovernorThenTunablesThenLimits) {
  Faults::log = (folder_ / "writes").string();
  std::filesystem::create_directories(root() + setting_path("policy0/ondemand"));
  write("policy0/scaling_governor", "ondemand");
  write("policy0/ondemand/up_threshold", "70");
  // Taken in the wrong order on purpose.
  take_over(SettingKind::kMaximum, "policy0/scaling_max_freq", "1000000");
  file_.take(SettingKind::kTunable, setting_path("policy0/ondemand/up_threshold"), "70");
  take_over(SettingKind::kGovernor, "policy0/scaling_governor", "userspace");
  write("policy0/ondemand/up_threshold", "95");  // the default, when ondemand comes back
  EXPECT_EQ(give_back_all().missing(), 0);
  EXPECT_THAT(writes(),
              ElementsAre("policy0/scaling_governor ondemand", "policy0/ondemand/up_threshold 70",
                          "policy0/scaling_max_freq 2000000"));
}

TEST_F(GiveBackTest, TunablesOfAllPoliciesTogetherComeAfterTheLastGovernor) {
  Faults::log = (folder_ / "writes").string();
  std::filesystem::create_directories(root() + setting_path("ondemand"));
  write("ondemand/up_threshold", "70");
  file_.take(SettingKind::kTunable, setting_path("ondemand/up_threshold"), "70");
  for (const std::string policy : {"policy0/", "policy4/"}) {
    write(policy + "scaling_governor", "ondemand");
    take_over(SettingKind::kGovernor, policy + "scaling_governor", "userspace");
  }
  write("ondemand/up_threshold", "95");
  EXPECT_EQ(give_back_all().count(Returned::kGivenBack), 3);
  ASSERT_EQ(writes().size(), 3u);
  EXPECT_EQ(writes().back(), "ondemand/up_threshold 70");
}

TEST_F(GiveBackTest, TunablesOfAGovernorThatIsNotOursToBringBackAreLeft) {
  std::filesystem::create_directories(root() + setting_path("policy0/ondemand"));
  write("policy0/scaling_governor", "ondemand");
  write("policy0/ondemand/up_threshold", "70");
  const auto tunable =
      file_.take(SettingKind::kTunable, setting_path("policy0/ondemand/up_threshold"), "70");
  take_over(SettingKind::kGovernor, "policy0/scaling_governor", "userspace");
  // Somebody else brings ondemand back, and tunes it.
  write("policy0/scaling_governor", "ondemand");
  write("policy0/ondemand/up_threshold", "80");
  EXPECT_EQ(outcome(give_back_all(), *tunable), Returned::kLeft);
  EXPECT_EQ(read("policy0/ondemand/up_threshold"), "80");
}

TEST_F(GiveBackTest, DeathBetweenGovernorAndTunablesForgetsNeither) {
  std::filesystem::create_directories(root() + setting_path("policy0/ondemand"));
  write("policy0/scaling_governor", "ondemand");
  write("policy0/ondemand/up_threshold", "70");
  const auto tunable =
      file_.take(SettingKind::kTunable, setting_path("policy0/ondemand/up_threshold"), "70");
  const int governor = take_over(SettingKind::kGovernor, "policy0/scaling_governor", "userspace");
  // Whoever gave back died after this write, before it could say so.
  file_.set_state(governor, SettingState::kGivingBack);
  write("policy0/scaling_governor", "ondemand");
  write("policy0/ondemand/up_threshold", "95");
  EXPECT_EQ(outcome(give_back_all(), *tunable), Returned::kGivenBack);
  EXPECT_EQ(read("policy0/ondemand/up_threshold"), "70");
}

// The Linux kernel takes a minimum above the maximum without a word and lets it lie in wait.
TEST_F(GiveBackTest, TheMinimumIsNeverAboveTheMaximum) {
  std::mt19937 random(1);
  std::uniform_int_distribution<int> frequency(2, 20);
  Faults::log = (folder_ / "writes").string();
  for (int round = 0; round < 60; ++round) {
    int before[2] = {frequency(random), frequency(random)},
        ours[2] = {frequency(random), frequency(random)};
    std::sort(before, before + 2);
    std::sort(ours, ours + 2);
    write("policy0/scaling_min_freq", std::to_string(before[0]));
    write("policy0/scaling_max_freq", std::to_string(before[1]));
    take_over(SettingKind::kMaximum, "policy0/scaling_max_freq", std::to_string(ours[1]));
    take_over(SettingKind::kMinimum, "policy0/scaling_min_freq", std::to_string(ours[0]));
    std::filesystem::remove(Faults::log);
    ASSERT_EQ(give_back_all().missing(), 0);
    int low = ours[0], high = ours[1];
    for (const std::string& line : writes()) {
      (line.find("min_freq") != line.npos ? low : high) = std::stoi(line.substr(line.find(' ')));
      EXPECT_LE(low, high) << line;
    }
    EXPECT_EQ(low, before[0]);
    EXPECT_EQ(high, before[1]);
    file_ = SettingsFile::create(make_state(), root(), 64);
  }
}

TEST_F(GiveBackTest, OneThatRefusesStopsNoOtherOne) {
  const int refused = take_over(SettingKind::kGovernor, "policy0/scaling_governor", "userspace");
  const int after = take_over(SettingKind::kMaximum, "policy0/scaling_max_freq", "1000000");
  const int beside = take_over(SettingKind::kGovernor, "policy4/scaling_governor", "userspace");
  Faults::refuse["policy0/scaling_governor"] = EBUSY;
  GiveBackResult result = give_back_all();
  EXPECT_EQ(outcome(result, refused), Returned::kRefused);
  EXPECT_EQ(outcome(result, after), Returned::kGivenBack);
  EXPECT_EQ(outcome(result, beside), Returned::kGivenBack);
  EXPECT_EQ(result.missing(), 1);
  EXPECT_THAT(report_text(result),
              HasSubstr("policy0/scaling_governor: cannot be given back: Device "
                        "or resource busy; it should be 'schedutil'\n"));
  // Once it can be had, it is given back.
  Faults::none();
  result = give_back_all();
  EXPECT_EQ(result.settings.size(), 1u);
  EXPECT_EQ(outcome(result, refused), Returned::kGivenBack);
}

TEST_F(GiveBackTest, AWriteThatIsAcceptedAndIgnoredIsNotTakenForDone) {
  const int governor = take_over(SettingKind::kGovernor, "policy0/scaling_governor", "userspace");
  const int limit = take_over(SettingKind::kMaximum, "policy0/scaling_max_freq", "1000000");
  Faults::ignore = {"policy0/scaling_governor", "policy0/scaling_max_freq"};
  const GiveBackResult result = give_back_all();
  EXPECT_EQ(outcome(result, governor), Returned::kIgnored);
  EXPECT_EQ(outcome(result, limit), Returned::kIgnored);
  EXPECT_THAT(report_text(result), HasSubstr("reads 'userspace' though a write was accepted"));
}

TEST_F(GiveBackTest, ASpeedThatALimitKeepsFromItsOldValueIsNotMissing) {
  for (const std::string policy : {"policy0/", "policy4/"}) {
    write(policy + "scaling_setspeed", "2000000");
    Faults::ignore.push_back(policy + "scaling_setspeed");
  }
  const int limited = take_over(SettingKind::kSpeed, "policy0/scaling_setspeed", "800000");
  const int ignored = take_over(SettingKind::kSpeed, "policy4/scaling_setspeed", "800000");
  write("policy0/scaling_max_freq", "800000");
  const GiveBackResult result = give_back_all();
  EXPECT_EQ(outcome(result, limited), Returned::kGivenBack);
  EXPECT_EQ(outcome(result, ignored), Returned::kIgnored);
}

TEST_F(GiveBackTest, WhatHangsStopsNoOtherOne) {
  const int hung = take_over(SettingKind::kGovernor, "policy0/scaling_governor", "userspace");
  const int after = take_over(SettingKind::kMaximum, "policy0/scaling_max_freq", "1000000");
  const int beside = take_over(SettingKind::kMaximum, "policy4/scaling_max_freq", "1000000");
  Faults::hang = {"policy0/scaling_governor"};
  const GiveBackResult result = give_back_all();  // returns at all
  EXPECT_EQ(outcome(result, hung), Returned::kHung);
  EXPECT_EQ(outcome(result, after), Returned::kGivenBack);
  EXPECT_EQ(outcome(result, beside), Returned::kGivenBack);
  EXPECT_EQ(read("policy0/scaling_max_freq"), "2000000");
}

TEST_F(GiveBackTest, WhoHangsInReadingBehindAHungWriterIsEnded) {
  const int written = take_over(SettingKind::kGovernor, "policy0/scaling_governor", "userspace");
  const int read = take_over(SettingKind::kMaximum, "policy0/scaling_max_freq", "1000000");
  Faults::hang = {"policy0/scaling_governor"};
  Faults::hang_reading = {"policy0/scaling_max_freq"};
  Faults::readers = (folder_ / "readers").string();
  const GiveBackResult result = give_back_all();
  EXPECT_EQ(outcome(result, written), Returned::kHung);
  EXPECT_EQ(outcome(result, read), Returned::kHung);
  // It would write, whenever the read came back: nobody may be left who could.
  std::ifstream readers(Faults::readers);
  pid_t reader = 0;
  int count = 0;
  for (; readers >> reader; ++count) {
    bool gone = false;
    for (int tries = 0; tries < 10'000 && !gone; ++tries) {
      const pid_t ended = waitpid(reader, nullptr, WNOHANG);
      gone = ended == reader || (ended < 0 && errno == ECHILD);
      if (!gone) usleep(1000);
    }
    EXPECT_TRUE(gone) << reader;
  }
  EXPECT_GT(count, 0);
}

TEST_F(GiveBackTest, ASlowDriverIsLetBeAndDoesItInTheEnd) {
  const int setting = take_over(SettingKind::kGovernor, "policy0/scaling_governor", "userspace");
  Faults::slow = {"policy0/scaling_governor"};
  GiveBackOptions options;
  options.access = Faults::access();
  const GiveBackResult result = give_back_patiently(file_, 60'000'000'000, options);
  EXPECT_EQ(outcome(result, setting), Returned::kGivenBack);
  EXPECT_EQ(result.missing(), 0);
  EXPECT_EQ(read("policy0/scaling_governor"), "schedutil");
}

TEST_F(GiveBackTest, WhatIsGoneIsNotMissing) {
  const int setting = take_over(SettingKind::kGovernor, "policy0/scaling_governor", "userspace");
  std::filesystem::remove_all(root() + setting_path("policy0"));
  const GiveBackResult result = give_back_all();
  EXPECT_EQ(outcome(result, setting), Returned::kGone);
  EXPECT_EQ(result.missing(), 0);
}

TEST_F(GiveBackTest, ALimitThatHeatLowersIsStillOurs) {
  const std::string device = root() + "/sys/class/thermal/cooling_device0/";
  std::filesystem::create_directories(device);
  write_text(device + "type", "cpufreq-cpu0\n");
  write_text(device + "cur_state", "3\n");
  const int setting = take_over(SettingKind::kMaximum, "policy0/scaling_max_freq", "1500000");
  write("policy0/scaling_max_freq", "800000");  // what heat leaves of it
  Faults::becomes["policy0/scaling_max_freq"] = "800000";
  const GiveBackResult hot = give_back_all();
  EXPECT_EQ(outcome(hot, setting), Returned::kGivenBack);
  EXPECT_THAT(report_text(hot),
              HasSubstr("given back: '2000000', of which the machine makes '800000'"));

  // The same reading in the cold is somebody's wish.
  write_text(device + "cur_state", "0\n");
  const int another = take_over(SettingKind::kMaximum, "policy4/scaling_max_freq", "1500000");
  write("policy4/scaling_max_freq", "800000");
  EXPECT_EQ(outcome(give_back_all(), another), Returned::kLeft);
}

TEST_F(GiveBackTest, ASpeedThatHadNoneIsNotWritten) {
  const int speed = take_over(SettingKind::kSpeed, "policy0/scaling_setspeed", "1200000");
  EXPECT_EQ(outcome(give_back_all(), speed), Returned::kWasBack);
  EXPECT_EQ(read("policy0/scaling_setspeed"), "1200000");
  // A user's own governor "userspace" has one.
  write("policy4/scaling_setspeed", "900000");
  const int another = take_over(SettingKind::kSpeed, "policy4/scaling_setspeed", "1200000");
  EXPECT_EQ(outcome(give_back_all(), another), Returned::kGivenBack);
  EXPECT_EQ(read("policy4/scaling_setspeed"), "900000");
}

TEST_F(GiveBackTest, OneTornEntryIsSaidAndTheOthersAreGivenBack) {
  take_over(SettingKind::kGovernor, "policy0/scaling_governor", "userspace");
  take_over(SettingKind::kGovernor, "policy4/scaling_governor", "userspace");
  std::fstream bytes(settings_path(), std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekp(kEntriesAt + offsetof(SettingEntry, path) + 5);
  bytes.put('~');
  bytes.close();
  const GiveBackResult result = give_back_all();
  EXPECT_EQ(outcome(result, 0), Returned::kDamaged);
  EXPECT_EQ(result.missing(), 1);
  EXPECT_EQ(read("policy0/scaling_governor"), "userspace");
  EXPECT_EQ(read("policy4/scaling_governor"), "schedutil");
}

// A settings file is root's, so this is a second wall: a path leads to no file but one of sysfs.
TEST_F(GiveBackTest, APathThatLeadsElsewhereIsRefused) {
  write_text(folder_ / "victim", "ours\n");
  std::filesystem::create_directories(root() + setting_path("policy0"));
  std::filesystem::create_symlink(folder_ / "victim", root() + setting_path("policy0/link"));
  std::vector<std::string> paths = {"/sys/../../victim",
                                    "/sys/./x",
                                    "/sys//x",
                                    "/sys/",
                                    "/sys",
                                    (folder_ / "victim").string(),
                                    setting_path("policy0/link"),
                                    setting_path("policy0")};
  for (const std::string& path : paths) {
    const auto setting = file_.take(SettingKind::kOther, path, "theirs");
    ASSERT_TRUE(setting);
    file_.intend(*setting, "ours");
    EXPECT_EQ(outcome(give_back_all(), *setting), Returned::kRefused) << path;
    file_.leave(*setting);
  }
  EXPECT_EQ(file_text(folder_ / "victim"), "ours\n");
}

TEST_F(GiveBackTest, OnlyOnePolicyWhenAsked) {
  take_over(SettingKind::kGovernor, "policy0/scaling_governor", "userspace");
  take_over(SettingKind::kGovernor, "policy4/scaling_governor", "userspace");
  GiveBackOptions options;
  options.only_below = setting_path("policy4/");
  EXPECT_EQ(give_back(file_, options).count(Returned::kGivenBack), 1);
  EXPECT_EQ(read("policy0/scaling_governor"), "userspace");
  EXPECT_EQ(read("policy4/scaling_governor"), "schedutil");
}

}  // namespace
}  // namespace flyball::testing
