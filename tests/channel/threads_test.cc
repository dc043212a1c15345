// Threads that a session names: those that end, those of others, and those of containers.

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <future>

#include "governor/channel/peer.h"
#include "tests/channel/raw_client.h"
#include "tests/governor/subprocess.h"

extern "C" {
#include "governor/client/session.h"
}

namespace flyball {
namespace {

/// Waits for its end.
class Thread {
 public:
  Thread() : thread_([this] { run(); }) { id = id_.get_future().get(); }
  ~Thread() { end(); }
  void end() {
    if (!thread_.joinable()) return;
    end_.set_value();
    thread_.join();
    while (syscall(SYS_tgkill, getpid(), id, 0) == 0) std::this_thread::yield();
  }
  std::int32_t id = 0;

 private:
  void run() {
    id_.set_value(static_cast<std::int32_t>(syscall(SYS_gettid)));
    end_.get_future().wait();
  }
  std::promise<std::int32_t> id_;
  std::promise<void> end_;
  std::thread thread_;
};

/// A process that waits, and then is gone.
struct Other {
  Other() : pid(fork()) {
    if (pid == 0)
      for (;;) pause();
  }
  ~Other() { end(); }
  void end() {
    if (ended) return;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    ended = true;
  }
  const pid_t pid;
  bool ended = false;
};

std::int32_t self() { return static_cast<std::int32_t>(syscall(SYS_gettid)); }

TEST(SessionThreads, ASessionOneOfWhoseThreadsHasEndedIsGovernedByTheNextGovernor) {
  const SocketDir dir;
  setenv("FLYBALL_SOCKET", dir.socket().c_str(), 1);
  setenv("FLYBALL_QUIET", "1", 1);
  auto governor = std::make_unique<TestGovernor>(dir.path());
  flyball_session* session = nullptr;
  {
    Thread passing;
    const std::int32_t ids[] = {passing.id, self()};
    ASSERT_EQ(flyball_session_create(ids, 2, 20'000'000, &session), 0) << flyball_why();
  }
  ASSERT_EQ(flyball_connected(session), 1);
  governor.reset();
  ASSERT_TRUE(comes_about([&] { return flyball_connected(session) == 0; }));
  TestGovernor next(dir.path());
  EXPECT_TRUE(comes_about([&] { return flyball_connected(session) == 1; })) << flyball_why();
  flyball_close(session);
}

TEST(SessionThreads, ASessionOfWhichNoThreadIsLeftMovesNoOther) {
  cpu_set_t before, after;
  sched_getaffinity(0, sizeof before, &before);
  if (CPU_COUNT(&before) < 2 || !CPU_ISSET(0, &before)) GTEST_SKIP() << "needs two CPUs";
  flyball_session session{};
  session.socket = -1;
  {
    Thread passing;
    session.hello.thread[0] = passing.id;
    session.hello.thread_count = 1;
    session.names_threads = 1;
  }
  session.now.cpus[0] = 1;
  fly_follow_cpus(&session);
  fly_follow_cpus(&session);
  sched_getaffinity(0, sizeof after, &after);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
  EXPECT_EQ(session.hello.thread_count, 0u);
}

/// The number of a thread that has ended may be a stranger's by now.
TEST(SessionThreads, AStrangersThreadIsNeverPinned) {
  cpu_set_t before, after;
  sched_getaffinity(0, sizeof before, &before);
  if (CPU_COUNT(&before) < 2 || !CPU_ISSET(0, &before)) GTEST_SKIP() << "needs two CPUs";
  Other stranger;
  Thread own;
  flyball_session session{};
  session.hello.thread[0] = stranger.pid;
  session.hello.thread[1] = own.id;
  session.hello.thread_count = 2;
  session.names_threads = 1;
  session.now.cpus[0] = 1;
  fly_follow_cpus(&session);
  sched_getaffinity(stranger.pid, sizeof after, &after);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
  sched_getaffinity(own.id, sizeof after, &after);
  EXPECT_EQ(CPU_COUNT(&after), 1);
}

fly_hello naming(std::initializer_list<std::int32_t> threads) {
  fly_hello hello = good_hello();
  for (const std::int32_t id : threads) hello.thread[hello.thread_count++] = id;
  return hello;
}

/// The library refuses first: by hand.
TEST(SessionThreads, TheGovernorRefusesThreadsOfOthersAndPassesOverThoseThatHaveEnded) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  Other stranger, gone;
  gone.end();
  const RawClient thief(dir.socket(), naming({self(), stranger.pid}));
  EXPECT_EQ(thief.error, EPERM);
  EXPECT_NE(thief.why.find("threads: are not of the process"), std::string::npos) << thief.why;
  EXPECT_EQ(RawClient(dir.socket(), naming({-1})).error, EPERM);
  EXPECT_EQ(RawClient(dir.socket(), naming({gone.pid})).error, 0);
  RawClient client(dir.socket(), naming({self(), gone.pid}));
  ASSERT_EQ(client.error, 0) << client.why;
  fly_change change{};
  change.magic = FLY_MAGIC;
  change.kind = FLY_THREADS;
  change.thread_count = 2;
  change.thread[0] = gone.pid;  // ended between the call and its reading
  change.thread[1] = self();
  ASSERT_GT(send(client.socket, &change, sizeof change, MSG_NOSIGNAL), 0);
  fly_change require{};
  require.magic = FLY_MAGIC;
  require.kind = FLY_REQUIRE;
  require.required.priority = 7;
  ASSERT_GT(send(client.socket, &require, sizeof require, MSG_NOSIGNAL), 0);
  EXPECT_TRUE(comes_about([&] { return governor.agent.seen().required.priority == 7; }));
  change.thread[1] = stranger.pid;
  ASSERT_GT(send(client.socket, &change, sizeof change, MSG_NOSIGNAL), 0);
  EXPECT_TRUE(client.is_hung_up_on());
  serves_others(dir, governor);
}

/// `channel_client threads COUNT` in a pid namespace of its own, for so many threads.
testing::Finished in_container(const std::string& socket, int count) {
  const testing::TempDir dir;
  const std::string command = "FLYBALL_QUIET=1 FLYBALL_SOCKET=" + socket +
                              " unshare -p -f --mount-proc " FLYBALL_BIN_DIR
                              "/channel_client threads " +
                              std::to_string(count) + " >" + (dir / "out") + " 2>" + (dir / "err");
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, testing::read_text(dir / "out"),
          testing::read_text(dir / "err")};
}

#define FLYBALL_STARTS_CONTAINERS()                                                          \
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "an emulated program cannot start another"; \
  if (std::system("unshare -p -f --mount-proc true 2>/dev/null") != 0)                       \
  GTEST_SKIP() << "a pid namespace is not to be had here"

TEST(SessionThreads, AContainersThreadIsFoundByTheNumberThatItHasThere) {
  FLYBALL_STARTS_CONTAINERS();
  const SocketDir dir;
  TestGovernor governor(dir.path());
  for (const int count : {2, 300}) {
    const testing::Finished told = in_container(dir.socket(), count);
    EXPECT_EQ(told.exit_code, 0) << told.out << told.err;
    EXPECT_EQ(told.out,
              "process 1, thread " + std::to_string(count) + ": connected 1\n");  // not ours
  }
}

TEST(SessionThreads, AThreadThatAContainersProcessHasNotIsRefused) {
  FLYBALL_STARTS_CONTAINERS();
  const SocketDir dir;
  TestGovernor governor(dir.path());
  // The process that is seen from here as the child's child: its thread there is 1, and none else.
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t outer = fork();
  if (outer == 0) {
    if (unshare(CLONE_NEWPID) != 0) _exit(1);
    const pid_t inner = fork();
    if (inner == 0) {
      const int errors[] = {RawClient(dir.socket(), naming({1})).error,
                            RawClient(dir.socket(), naming({1, 2})).error};
      _exit(write(ends[1], errors, sizeof errors) == sizeof errors ? 0 : 1);
    }
    waitpid(inner, nullptr, 0);
    _exit(0);
  }
  close(ends[1]);
  int errors[2] = {-1, -1};
  EXPECT_EQ(read(ends[0], errors, sizeof errors), static_cast<ssize_t>(sizeof errors));
  close(ends[0]);
  waitpid(outer, nullptr, 0);
  EXPECT_EQ(errors[0], 0);
  EXPECT_EQ(errors[1], EPERM);
}

}  // namespace
}  // namespace flyball
