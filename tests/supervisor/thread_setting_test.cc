// Affinity and scheduling of threads that are not ours.

#include <gmock/gmock.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "governor/supervisor/setting_access.h"
#include "tests/supervisor/fake_machine.h"

namespace flyball::testing {
namespace {

using ThreadSettingTest = MachineFixture;

/// A thread of another process, which waits.
class OtherProcess {
 public:
  OtherProcess() : pid_(fork()) {
    if (pid_ == 0) {
      for (;;) pause();
    }
  }
  ~OtherProcess() {
    if (pid_ > 0) end();
  }
  void end() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  ProcessIdentity thread() const { return *identify(pid_); }

 private:
  pid_t pid_;
};

TEST_F(ThreadSettingTest, GivesBackTheAffinityOfAnotherProcessThread) {
  OtherProcess process;
  const ProcessIdentity thread = process.thread();
  const std::string before(read_thread_affinity(thread).view());
  const auto setting = file_.take_thread(SettingKind::kThreadAffinity, thread, before);
  file_.intend(*setting, "1");
  ASSERT_EQ(write_thread_affinity(thread, "1"), 0);
  file_.written(*setting, "1");
  cpu_set_t cpus;
  ASSERT_EQ(sched_getaffinity(thread.pid, sizeof cpus, &cpus), 0);
  EXPECT_EQ(CPU_COUNT(&cpus), 1);
  EXPECT_TRUE(CPU_ISSET(0, &cpus));
  EXPECT_EQ(outcome(give_back_all(), *setting),
            before == "1" ? Returned::kWasBack : Returned::kGivenBack);
  EXPECT_EQ(read_thread_affinity(thread).view(), before);
}

TEST_F(ThreadSettingTest, GivesBackTheSchedulingOfAnotherProcessThread) {
  OtherProcess process;
  const ProcessIdentity thread = process.thread();
  const std::string before(read_thread_scheduling(thread).view());
  const std::size_t nice = before.find(' ') + 1;
  const std::string ours = before.substr(0, nice) + "15" + before.substr(before.find(' ', nice));
  const int nice_before = getpriority(PRIO_PROCESS, static_cast<id_t>(thread.pid));
  const auto setting = file_.take_thread(SettingKind::kThreadScheduling, thread, before);
  file_.intend(*setting, ours);
  ASSERT_EQ(write_thread_scheduling(thread, ours), 0);
  EXPECT_EQ(getpriority(PRIO_PROCESS, static_cast<id_t>(thread.pid)), 15);
  if (geteuid() != 0) GTEST_SKIP() << "only root may raise a priority again";
  EXPECT_EQ(outcome(give_back_all(), *setting), Returned::kGivenBack);
  EXPECT_EQ(getpriority(PRIO_PROCESS, static_cast<id_t>(thread.pid)), nice_before);
}

TEST_F(ThreadSettingTest, AThreadThatHasEndedIsGoneThoughItsNumberIsInUse) {
  OtherProcess process;
  ProcessIdentity another = process.thread();
  another.start_ticks -= 1;  // one that had this number before
  const std::string affinity(read_thread_affinity(process.thread()).view());
  const auto setting = file_.take_thread(SettingKind::kThreadAffinity, another, "1");
  file_.intend(*setting, affinity);
  EXPECT_EQ(outcome(give_back_all(), *setting), Returned::kGone);
  EXPECT_EQ(read_thread_affinity(process.thread()).view(), affinity);
}

TEST(ThreadSettingTextTest, RefusesWhatIsNoMaskAndNoAttributes) {
  const ProcessIdentity self = *identify(getpid());
  for (const char* mask : {"", "g", "1 ", "0x1", "-1"})
    EXPECT_EQ(write_thread_affinity(self, mask), EINVAL);
  EXPECT_EQ(write_thread_affinity(self, std::string(600, 'f')), EINVAL);
  for (const char* text : {"", "0", "0 0 0 0", "0 0 0 0 0 0", "a 0 0 0 0", "0  0 0 0 0"}) {
    EXPECT_EQ(write_thread_scheduling(self, text), EINVAL) << text;
  }
}

}  // namespace
}  // namespace flyball::testing
