// What may stand in the folder of root's state, and who may hold it.

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/supervisor/state_fixture.h"

namespace flyball::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class StateDirTest : public StateFixture {
 protected:
  std::string why_not_opened() const {
    return error_of([&] { SettingsFile::open_existing(StateDir::open_existing(state_path())); });
  }
};

TEST_F(StateDirTest, AFileOfAnotherSizeIsRefusedWithoutReadingIt) {
  SettingsFile::create(make_state(), root(), 2);
  const auto whole = std::filesystem::file_size(settings_path());
  for (const std::uintmax_t size :
       {std::uintmax_t{0}, std::uintmax_t{100}, whole - 1, whole + 1, std::uintmax_t{1} << 50}) {
    std::error_code unsupported;
    std::filesystem::resize_file(settings_path(), size, unsupported);
    if (unsupported) continue;  // the last one, on a small file system
    EXPECT_THAT(why_not_opened(), AllOf(HasSubstr("settings"), HasSubstr("; "))) << size;
  }
}

TEST_F(StateDirTest, WhatOthersCouldHaveWrittenIsNotTrusted) {
  const StateDir dir = make_state();
  SettingsFile::create(dir, root(), 2);
  const auto aside = folder_ / "aside";

  ASSERT_EQ(chmod(settings_path().c_str(), 0660), 0);
  EXPECT_THAT(why_not_opened(), HasSubstr("others may write to it"));
  ASSERT_EQ(chmod(settings_path().c_str(), 0600), 0);

  std::filesystem::create_hard_link(settings_path(), aside);
  EXPECT_THAT(why_not_opened(), HasSubstr("it has another name besides"));
  std::filesystem::remove(aside);

  std::filesystem::rename(settings_path(), aside);
  std::filesystem::create_symlink(aside, settings_path());
  EXPECT_THAT(why_not_opened(), HasSubstr("it is a link or no regular file"));
  std::filesystem::remove(settings_path());

  ASSERT_EQ(mkfifo(settings_path().c_str(), 0600), 0);
  EXPECT_THAT(why_not_opened(), HasSubstr("it is a link or no regular file"));
  std::filesystem::remove(settings_path());

  std::filesystem::create_directory(settings_path());
  EXPECT_THAT(why_not_opened(), HasSubstr("it is a link or no regular file"));
}

TEST_F(StateDirTest, AnotherUsersFileIsNotTrusted) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  SettingsFile::create(make_state(), root(), 2);
  ASSERT_EQ(chown(settings_path().c_str(), 12345, 0), 0);
  EXPECT_THAT(why_not_opened(), HasSubstr("it belongs to user 12345"));
}

TEST_F(StateDirTest, TheFolderIsTrustedOnlyWhenNobodyElseWritesThere) {
  make_state();
  const auto why = [&] { return error_of([&] { StateDir::make(state_path()); }); };
  EXPECT_EQ(why(), "");
  ASSERT_EQ(chmod(state_path().c_str(), 0777), 0);
  EXPECT_THAT(why(), HasSubstr("others may write to it"));
  std::filesystem::remove(state_path());
  std::filesystem::create_directory(folder_ / "elsewhere");
  std::filesystem::create_symlink(folder_ / "elsewhere", state_path());
  EXPECT_THAT(why(), HasSubstr("it is a link or no folder"));
  std::filesystem::remove(state_path());
  write_text(state_path(), "");
  EXPECT_THAT(why(), HasSubstr("it is a link or no folder"));
  EXPECT_FALSE(StateDir::open_existing((folder_ / "absent").string()));
}

TEST_F(StateDirTest, ANewFolderIsOpenToReadersWhateverTheUmaskAndAnOldOneStaysAsItIs) {
  const auto mode = [&] { return std::filesystem::status(state_path()).permissions(); };
  const mode_t before = umask(077);
  make_state();
  umask(before);
  EXPECT_EQ(mode(), std::filesystem::perms(0755));
  ASSERT_EQ(chmod(state_path().c_str(), 0700), 0);
  make_state();
  EXPECT_EQ(mode(), std::filesystem::perms(0700));
}

TEST_F(StateDirTest, OneGovernorHasTheLockUntilItsLastProcessEnds) {
  const StateDir dir = make_state();
  std::optional<GovernorLock> lock(GovernorLock::try_lock(dir));
  ASSERT_TRUE(*lock);
  EXPECT_FALSE(GovernorLock::try_lock(dir));
  // A supervisor that outlives the governor.
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[1]);
    char byte;
    _exit(static_cast<int>(read(ends[0], &byte, 1)));
  }
  lock.reset();
  EXPECT_FALSE(GovernorLock::try_lock(dir));
  close(ends[0]);
  close(ends[1]);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(GovernorLock::try_lock(dir));
}

TEST(ProcessIdentityTest, AProcessThatHasEndedIsNoneEvenBeforeItsParentAsks) {
  ASSERT_TRUE(identify(getpid()));
  EXPECT_TRUE(runs(*identify(getpid())));
  ProcessIdentity another = *identify(getpid());
  another.start_ticks += 1;  // the number given to another one
  EXPECT_FALSE(runs(another));
  const pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  EXPECT_EQ(identify(child), std::nullopt);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(identify(child), std::nullopt);
}

}  // namespace
}  // namespace flyball::testing
