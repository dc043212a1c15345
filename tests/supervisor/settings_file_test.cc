// What a sudden death leaves in the file, and who may have written it.

#include "governor/supervisor/settings_file.h"

#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "governor/supervisor/stored_value.h"
#include "tests/supervisor/state_fixture.h"

namespace flyball::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kGovernor = "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor";

std::vector<std::string> values(const SettingsFile::Ours& ours) {
  return {ours.values, ours.values + ours.count};
}

class SettingsFileTest : public StateFixture {
 protected:
  /// The file as the next process finds it.
  SettingsFile reopened() const {
    auto file = SettingsFile::open_existing(StateDir::open_existing(state_path()));
    if (!file) throw std::runtime_error("no settings file");
    return std::move(*file);
  }
  void damage(std::size_t at) {
    std::fstream file(settings_path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte ^ 0x20));
  }
  std::string why_not_opened() const {
    return error_of([&] { SettingsFile::open_existing(StateDir::open_existing(state_path())); });
  }
};

TEST_F(SettingsFileTest, HoldsWhatWasTakenForTheNextProcess) {
  const StateDir dir = make_state();
  {
    SettingsFile file = SettingsFile::create(dir, root(), 4);
    ASSERT_EQ(file.take(SettingKind::kGovernor, kGovernor, "schedutil"), 0);
    ASSERT_TRUE(file.intend(0, "userspace"));
    ASSERT_EQ(file.take_thread(SettingKind::kThreadAffinity, *identify(getpid()), "ff"), 1);
  }
  const SettingsFile file = reopened();
  EXPECT_EQ(file.count(), 2);
  EXPECT_TRUE(file.of_this_boot());
  EXPECT_EQ(file.sysfs_root(), root());
  EXPECT_EQ(file.governor(), *identify(getpid()));
  EXPECT_EQ(file.supervisor(), std::nullopt);
  EXPECT_TRUE(file.is_whole(0));
  EXPECT_EQ(file.kind(0), SettingKind::kGovernor);
  EXPECT_EQ(file.path(0), kGovernor);
  EXPECT_EQ(file.before(0), "schedutil");
  EXPECT_TRUE(file.before_is_certain(0));
  EXPECT_THAT(values(file.ours(0)), ElementsAre("userspace"));
  EXPECT_EQ(file.thread(1), *identify(getpid()));
  EXPECT_THAT(values(file.ours(1)), IsEmpty());  // taken, and not written yet
}

TEST_F(SettingsFileTest, OnlyTheOwnerMayReadIt) {
  const SettingsFile file = SettingsFile::create(make_state(), root(), 4);
  struct stat info {};
  ASSERT_EQ(stat(settings_path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

TEST_F(SettingsFileTest, TheValueBeforeStaysOursUntilTheNewOneIsInForce) {
  SettingsFile file = SettingsFile::create(make_state(), root(), 4);
  const int setting = *file.take(SettingKind::kMaximum, "/sys/max", "2000000");
  file.intend(setting, "1500000");
  file.written(setting, "1512000");  // rounded
  EXPECT_THAT(values(file.ours(setting)), ElementsAre("1500000", "1512000"));
  file.intend(setting, "1000000");  // and death before, or after, the write
  EXPECT_THAT(values(file.ours(setting)), ElementsAre("1000000", "1500000", "1512000"));
  file.written(setting, "1000000");
  EXPECT_THAT(values(file.ours(setting)), ElementsAre("1000000", "1000000"));
  EXPECT_TRUE(file.ours(setting).contains("1000000"));
  EXPECT_FALSE(file.ours(setting).contains("1512000"));  // somebody else's, should it read so again
}

TEST_F(SettingsFileTest, ASettingIsTakenAnewWithAnotherValueBefore) {
  SettingsFile file = SettingsFile::create(make_state(), root(), 1);
  const int setting = *file.take(SettingKind::kMaximum, "/sys/max", "3");
  for (int round = 0; round < 3; ++round) {
    file.intend(setting, "1");
    file.written(setting, "1");
  }
  file.leave(setting);
  ASSERT_TRUE(file.retake(setting, "2", false));
  EXPECT_TRUE(file.is_whole(setting));
  EXPECT_EQ(file.state(setting), SettingState::kTaken);
  EXPECT_EQ(file.before(setting), "2");
  EXPECT_FALSE(file.before_is_certain(setting));
  EXPECT_THAT(values(file.ours(setting)), IsEmpty());
  file.intend(setting, "1");
  EXPECT_THAT(values(file.ours(setting)), ElementsAre("1"));
}

TEST_F(SettingsFileTest, RefusesWhatItCouldNotGiveBackWhole) {
  SettingsFile file = SettingsFile::create(make_state(), root(), 2);
  EXPECT_FALSE(file.take(SettingKind::kOther, "/sys/x", std::string(113, '1')));
  EXPECT_FALSE(file.take(SettingKind::kOther, "/sys/" + std::string(200, 'x'), "1"));
  EXPECT_FALSE(file.take(SettingKind::kOther, "/sys/x", "two\nlines"));
  EXPECT_FALSE(file.take(SettingKind::kOther, "", "1"));
  EXPECT_EQ(file.count(), 0);
  EXPECT_EQ(file.take(SettingKind::kOther, "/sys/x", std::string(112, '1')), 0);
  EXPECT_FALSE(file.intend(0, std::string(113, '2')));
  EXPECT_FALSE(file.intend(0, "\033[2J"));
  EXPECT_THAT(values(file.ours(0)), IsEmpty());
  EXPECT_EQ(file.take(SettingKind::kOther, "/sys/y", "1"), 1);
  EXPECT_FALSE(file.take(SettingKind::kOther, "/sys/z", "1"));  // full
}

// Every byte of an entry in turn: the damage is seen, or is in what says nothing.
TEST_F(SettingsFileTest, ATornEntryIsNotTakenForAWholeOne) {
  {
    SettingsFile file = SettingsFile::create(make_state(), root(), 2);
    file.take(SettingKind::kGovernor, kGovernor, "schedutil");
    file.intend(0, "userspace");
  }
  const std::size_t state = offsetof(SettingEntry, state), ours = offsetof(SettingEntry, intended);
  for (std::size_t at = 0; at < state; ++at) {
    damage(kEntriesAt + at);
    EXPECT_FALSE(reopened().is_whole(0)) << "byte " << at;
    damage(kEntriesAt + at);
  }
  for (std::size_t at = 0; at < sizeof(StoredValue); ++at) {
    damage(kEntriesAt + ours + at);
    const SettingsFile file = reopened();
    EXPECT_TRUE(file.is_whole(0));
    EXPECT_THAT(values(file.ours(0)), IsEmpty()) << "byte " << at;
    damage(kEntriesAt + ours + at);
  }
  EXPECT_THAT(values(reopened().ours(0)), ElementsAre("userspace"));
}

TEST_F(SettingsFileTest, AHalfStoredValueLeavesTheOneBefore) {
  {
    SettingsFile file = SettingsFile::create(make_state(), root(), 2);
    file.take(SettingKind::kMaximum, "/sys/max", "3");
    file.intend(0, "2");
    file.written(0, "2");
    file.intend(0, "1");
  }
  // The second value of two, torn at each of its bytes.
  for (std::size_t at = 0; at < sizeof(StoredValue); ++at) {
    const std::size_t byte =
        kEntriesAt + offsetof(SettingEntry, intended) + sizeof(IntendedValue) + at;
    damage(byte);
    EXPECT_THAT(values(reopened().ours(0)), ElementsAre("2", "2")) << "byte " << at;
    damage(byte);
  }
}

TEST_F(SettingsFileTest, RecognisesAnEarlierBoot) {
  SettingsFile::create(make_state(), root(), 2);
  ASSERT_TRUE(reopened().of_this_boot());
  std::string bytes = file_text(settings_path());
  auto& header = *reinterpret_cast<SettingsHeader*>(bytes.data());
  header.boot[0] = header.boot[0] == 'a' ? 'b' : 'a';
  header.checksum = header_checksum(header);
  write_text(settings_path(), bytes);
  EXPECT_FALSE(reopened().of_this_boot());
}

TEST_F(SettingsFileTest, ADamagedHeaderIsRefused) {
  SettingsFile::create(make_state(), root(), 2);
  for (std::size_t at = 0; at < offsetof(SettingsHeader, supervisor); ++at) {
    damage(at);
    EXPECT_NE(why_not_opened(), "") << "byte " << at;
    damage(at);
  }
  EXPECT_EQ(why_not_opened(), "");
  damage(offsetof(SettingsHeader, count) + 1);  // more entries than it has room for
  EXPECT_THAT(why_not_opened(), HasSubstr("it is damaged"));
}

// A mapped file without its bytes would kill the governor within an epoch (SIGBUS).
TEST_F(SettingsFileTest, AFullDiskIsSaidBeforeAnythingIsTaken) {
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      _exit(77);
    }
    std::filesystem::create_directory(folder_ / "small");
    if (mount("none", (folder_ / "small").c_str(), "tmpfs", 0, "size=32k,mode=0755") != 0)
      _exit(77);
    const StateDir dir = StateDir::make((folder_ / "small" / "state").string());
    const std::string line = error_of([&] { SettingsFile::create(dir, root(), 512); });
    const bool said = line.find(
                          "settings: cannot be made: No space left on device; nothing was "
                          "changed") != std::string::npos;
    const bool left = std::filesystem::is_empty(folder_ / "small" / "state");
    _exit(said && left ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "may not mount a small disk";
  EXPECT_EQ(status, 0);
}

TEST_F(SettingsFileTest, RemovesOnlyItself) {
  const StateDir dir = make_state();
  SettingsFile old = SettingsFile::create(dir, root(), 2);
  SettingsFile::create(dir, root(), 2);
  old.remove(dir);
  EXPECT_TRUE(std::filesystem::exists(settings_path()));
  reopened().remove(dir);
  EXPECT_FALSE(std::filesystem::exists(settings_path()));
}

}  // namespace
}  // namespace flyball::testing
