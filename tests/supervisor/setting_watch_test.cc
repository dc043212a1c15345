// Who else writes to our settings: named where Linux tells, and never ourselves.

#include "governor/supervisor/setting_watch.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/supervisor/fake_machine.h"

namespace flyball::testing {
namespace {

class SettingWatchTest : public MachineFixture {
 protected:
  SettingWatchTest() {
    governor_ = take_over(SettingKind::kGovernor, "policy0/scaling_governor", "userspace");
    limit_ = take_over(SettingKind::kMaximum, "policy4/scaling_max_freq", "1500000");
  }
  /// As another program does it. Ends before this returns, unless its input is kept open.
  void change_from_outside(const std::string& name, const std::string& value) {
    const std::string command = "echo " + value + " > " + root() + setting_path(name);
    if (std::system(command.c_str()) != 0) throw std::runtime_error("no shell");
  }
  int governor_, limit_;
};

TEST_F(SettingWatchTest, SeesWhatOthersChangeAndNotWhatWeDo) {
  SettingWatch watch(file_);
  ASSERT_TRUE(watch.watch(governor_));
  ASSERT_TRUE(watch.watch(limit_));
  EXPECT_FALSE(watch.next());
  file_.intend(limit_, "1000000");
  write("policy4/scaling_max_freq", "1000000");
  file_.written(limit_, "1000000");
  EXPECT_FALSE(watch.next());
  change_from_outside("policy0/scaling_governor", "performance");
  const auto change = watch.next();
  ASSERT_TRUE(change);
  EXPECT_EQ(change->setting, governor_);
  EXPECT_STREQ(change->found.data(), "performance");
  EXPECT_GT(change->seen_ns, 0);
}

TEST_F(SettingWatchTest, AWriteThatChangesNothingIsNobodysBusiness) {
  SettingWatch watch(file_);
  watch.watch(governor_);
  change_from_outside("policy0/scaling_governor", "userspace");
  EXPECT_FALSE(watch.next());
}

TEST_F(SettingWatchTest, WhatWasLeftToOthersIsNotWatchedAnyMore) {
  SettingWatch watch(file_);
  watch.watch(governor_);
  file_.leave(governor_);
  change_from_outside("policy0/scaling_governor", "performance");
  EXPECT_FALSE(watch.next());
}

TEST_F(SettingWatchTest, NamesTheProgramThatWrote) {
  SettingWatch watch(file_);
  if (!watch.names_programs()) GTEST_SKIP() << "fanotify needs root";
  watch.watch(governor_);
  // A daemon that is a script, as most of them are.
  const std::string script = (folder_ / "auto-cpufreq").string();
  write_text(script, "#!/bin/sh\necho powersave > " + root() +
                         setting_path("policy0/scaling_governor") + "\nread wait\n");
  ASSERT_EQ(chmod(script.c_str(), 0755), 0);
  int input[2];
  ASSERT_EQ(pipe(input), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(input[0], 0);
    close(input[1]);
    execl(script.c_str(), script.c_str(), nullptr);
    _exit(127);
  }
  std::optional<ForeignChange> change;
  for (int tries = 0; tries < 10'000 && !(change = watch.next()); ++tries) usleep(1000);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->pid, child);
  EXPECT_STREQ(change->program.data(), "auto-cpufreq");
  close(input[1]);
  waitpid(child, nullptr, 0);
}

TEST_F(SettingWatchTest, WithoutThePrivilegeItSeesTheChangeAll) {
  if (geteuid() != 0) GTEST_SKIP() << "this is what the other tests do then";
  const pid_t child = fork();
  if (child == 0) {
    std::filesystem::permissions(folder_, std::filesystem::perms::all);
    if (setresuid(65534, 65534, 65534) != 0) _exit(77);
    SettingWatch watch(file_);
    const bool watched = !watch.names_programs() && watch.watch(governor_) && !watch.next();
    _exit(watched ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(SettingWatchTest, LookingFindsWhatNoEventTells) {
  SettingWatch watch(file_);  // watches nothing
  EXPECT_FALSE(watch.look_at(governor_));
  write("policy0/scaling_governor", "ondemand");
  const auto change = watch.look_at(governor_);
  ASSERT_TRUE(change);
  EXPECT_STREQ(change->found.data(), "ondemand");
  EXPECT_EQ(change->pid, 0);
}

TEST_F(SettingWatchTest, ADriverThatIsLoadedAnewHasFilesOfItsOwn) {
  SettingWatch watch(file_);
  ASSERT_TRUE(watch.watch(governor_));
  EXPECT_FALSE(watch.watch_anew(governor_));
  const std::string path = root() + setting_path("policy0/scaling_governor");
  std::filesystem::rename(path, path + ".old");
  EXPECT_FALSE(watch.watch_anew(governor_)) << "it is gone";
  write_text(path, "userspace\n");
  EXPECT_TRUE(watch.watch_anew(governor_));
  EXPECT_FALSE(watch.watch_anew(governor_));
  change_from_outside("policy0/scaling_governor", "performance");
  EXPECT_TRUE(watch.next()) << "the new file is watched";
}

TEST_F(SettingWatchTest, WhatCannotBeWatchedYetIsTriedAgain) {
  if (geteuid() != 0) GTEST_SKIP() << "takes a file away from a user";
  std::filesystem::permissions(folder_, std::filesystem::perms::all);
  const std::string path = root() + setting_path("policy0/scaling_governor");
  const pid_t child = fork();
  if (child == 0) {
    if (setresuid(65534, 65534, 0) != 0) _exit(77);
    SettingWatch watch(file_);  // by inotify, which asks for the right to read
    if (!watch.watch(governor_)) _exit(1);
    if (setresuid(0, 0, 0) != 0) _exit(77);
    std::filesystem::rename(path, path + ".old");
    write_text(path, "userspace\n");
    chmod(path.c_str(), 0);
    if (setresuid(65534, 65534, 0) != 0) _exit(77);
    if (watch.watch_anew(governor_)) _exit(2);
    if (setresuid(0, 0, 0) != 0) _exit(77);
    chmod(path.c_str(), 0644);
    if (setresuid(65534, 65534, 0) != 0) _exit(77);
    _exit(watch.watch_anew(governor_) ? 0 : 3);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(SettingWatchTest, WhatHappensWhileItIsHeldIsKept) {
  SettingWatch watch(file_);
  ASSERT_TRUE(watch.watch(governor_));
  ASSERT_TRUE(watch.watch(limit_));
  watch.hold(governor_, true);
  change_from_outside("policy0/scaling_governor", "performance");
  change_from_outside("policy4/scaling_max_freq", "900000");
  const auto other = watch.next();
  ASSERT_TRUE(other) << "what is not held is told";
  EXPECT_EQ(other->setting, limit_);
  EXPECT_FALSE(watch.next());
  watch.hold(governor_, false);
  const auto kept = watch.next();
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->setting, governor_);
  EXPECT_STREQ(kept->found.data(), "performance");
  EXPECT_FALSE(watch.next());
}

TEST(ProgramNameTest, IsThatOfTheScriptAndEmptyForNone) {
  EXPECT_THAT(program_of(getpid()).data(), ::testing::HasSubstr("supervisor_test"));
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  EXPECT_STREQ(program_of(child).data(), "");
}

}  // namespace
}  // namespace flyball::testing
