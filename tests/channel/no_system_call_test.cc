// What is said to cost no system call is done where every one kills but the thread's exit. (Strict mode would
// do, but takes reading the clock from a program, too.)

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <cstddef>
#include <limits>

#include "tests/channel/channel_fixture.h"

extern "C" {
#include "governor/client/session.h"
}

namespace flyball {
namespace {

/// Of a child: it is over, without what would be called at a process's end.
[[noreturn]] void end_strictly(int code) {
  for (;;) syscall(SYS_exit, code);
}

bool allow_exit_alone() {
  sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  const sock_fprog filter{sizeof steps / sizeof *steps, steps};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/// How a child ends that does this strictly: 128 + signal when one ended it.
template <typename Prepare, typename Body>
int strictly(const Prepare& prepare, const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    auto prepared = prepare();
    if (!allow_exit_alone()) _exit(90);
    end_strictly(body(prepared));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int clock_alone() {
  return strictly([] { return 0; },
                  [](int) {
                    timespec now;
                    return clock_gettime(CLOCK_MONOTONIC, &now) == 0 ? 0 : 1;
                  });
}

#define FLYBALL_READS_CLOCKS()                                               \
  if (const int ended = clock_alone(); ended == 90 || ended == 128 + SIGSYS) \
  GTEST_SKIP() << "there is no seccomp, or reading a clock is a system call here"

/// A session of the child's own, which the governor has had through its first jobs and whose connection is
/// not looked at, as it is once in a tenth of a second.
flyball_session* governed(const std::string& socket) {
  auto* client = new TestSession(socket);  // never closed
  for (std::uint64_t i = 0; i < GuestSeat::kBeforeJobs; ++i) client->job();
  if (!comes_about([&] { return flyball_now(client->session)->number > 0; })) _exit(91);
  client->session->check_ns = std::numeric_limits<std::int64_t>::max();
  return client->session;
}

TEST(NoSystemCall, IsMadeToBeginAJobAndToEndIt) {
  FLYBALL_READS_CLOCKS();
  const SocketDir dir;
  TestGovernor governor(dir.path());
  constexpr int kJobs = 100;
  const int ended = strictly([&] { return governed(dir.socket()); },
                             [](flyball_session* s) {
                               for (int i = 0; i < kJobs; ++i) {
                                 flyball_begin(s, 0);
                                 if (flyball_end(s) != 0) return 1;
                               }
                               flyball_job job{};
                               job.level = -1;
                               return flyball_report(s, &job) == 0 ? 0 : 2;
                             });
  EXPECT_EQ(ended, 0);
  EXPECT_TRUE(comes_about(
      [&] { return governor.agent.seen().finished >= GuestSeat::kBeforeJobs + kJobs; }));
}

TEST(NoSystemCall, IsMadeToReadASettingThatChanges) {
  FLYBALL_READS_CLOCKS();
  const SocketDir dir;
  TestGovernor governor(dir.path());
  std::atomic<bool> done{false};
  std::thread turns([&] {
    while (!done) {
      governor.agent.level = 1 - governor.agent.level;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  const int ended = strictly([&] { return governed(dir.socket()); },
                             [](flyball_session* s) {
                               for (int changes = 0; changes < 5; ++changes) {
                                 const std::uint64_t before = flyball_now(s)->number;
                                 while (flyball_now(s)->number == before) continue;
                               }
                               return 0;
                             });
  done = true;
  turns.join();
  EXPECT_EQ(ended, 0);
}

/// That the law can be broken: looking at the connection is a system call.
TEST(NoSystemCall, KillsWhoMakesOne) {
  FLYBALL_READS_CLOCKS();
  const SocketDir dir;
  TestGovernor governor(dir.path());
  const int ended = strictly([&] { return governed(dir.socket()); },
                             [](flyball_session* s) {
                               s->check_ns = 0;
                               flyball_begin(s, 0);
                               return 0;
                             });
  EXPECT_EQ(ended, 128 + SIGSYS);
}

}  // namespace
}  // namespace flyball
