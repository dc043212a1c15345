#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "agents/agent.h"
#include "kernels/base/bytes.h"
#include "tests/channel/raw_client.h"

namespace flyball {
namespace {

TEST(Hostile, GarbageIsHungUpOn) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  std::mt19937 random(1);
  for (int i = 0; i < 40; ++i) {
    const int fd = connect_raw(dir.socket());
    std::vector<char> bytes(random() % 6000);
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (i % 2 == 0 && bytes.size() > 16) std::memcpy(bytes.data(), "FLY1\1\0\0\0\1\0\0\0", 12);
    send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    fly_welcome answer{};
    const ssize_t got = recv(fd, &answer, sizeof answer, 0);
    if (got > 0) {
      EXPECT_EQ(answer.error, EINVAL);
      EXPECT_EQ(recv(fd, &answer, sizeof answer, 0), 0);
    }
    close(fd);
  }
  EXPECT_EQ(governor.places_taken(), 0);
  serves_others(dir, governor);
}

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kEndless = std::numeric_limits<double>::infinity();

struct MonitorAsked {
  int direction;
  double desired_min, desired_max, weight;
};

void one_monitor(fly_hello& hello, const MonitorAsked& asked) {
  hello.monitor_count = 1;
  std::strcpy(hello.monitor[0].name, "fog");
  hello.monitor[0].direction = asked.direction;
  hello.monitor[0].desired_min = asked.desired_min;
  hello.monitor[0].desired_max = asked.desired_max;
  hello.monitor[0].weight = asked.weight;
}

TEST(Hostile, AHelloThatLiesIsRefusedWithItsReason) {
  const std::vector<std::pair<const char*, std::function<void(fly_hello&)>>> lies = {
      {"sizes", [](fly_hello& h) { h.text_bytes = 1; }},
      {"sizes", [](fly_hello& h) { h.knob_count = 0xffffffff; }},
      {"sizes", [](fly_hello& h) { h.thread_count = 65; }},
      {"knobs", [](fly_hello& h) { h.level_count = 2; }},
      {"knobs", [](fly_hello& h) { h.knob_count = 1; }},
      {"version", [](fly_hello& h) { h.version = 99; }},
      {"name", [](fly_hello& h) { std::memset(h.name, 'x', sizeof h.name); }},
      {"name", [](fly_hello& h) { std::strcpy(h.name, "a\nb"); }},
      {"name", [](fly_hello& h) { h.name[0] = 0; }},
      {"accuracy", [](fly_hello& h) { h.accuracy_pct[0] = 101; }},
      {"accuracy",
       [](fly_hello& h) { h.accuracy_pct[0] = std::numeric_limits<float>::quiet_NaN(); }},
      {"requirements", [](fly_hello& h) { h.required.deadline_ns = -1; }},
      {"requirements",
       [](fly_hello& h) {
         h.required.energy_budget_mj = std::numeric_limits<double>::quiet_NaN();
       }},
      {"requirements", [](fly_hello& h) { h.required.priority = 1000; }},
      {"threads", [](fly_hello& h) { h.threads = 0; }},
      {"monitors", [](fly_hello& h) { h.monitor_count = 1; }},
      {"monitors",
       [](fly_hello& h) {
         h.monitor_count = 1;
         std::strcpy(h.monitor[0].name, "fog");
         h.monitor[0].weight = FLYBALL_WEIGHT_MOST + 1;
       }},
      {"'fog' weighs -1",
       [](fly_hello& h) {
         one_monitor(h, {FLYBALL_NEITHER, 1, 2, -1});
       }},
      {"'fog' weighs nan",
       [](fly_hello& h) {
         one_monitor(h, {FLYBALL_NEITHER, 1, 2, kNone});
       }},
      {"'fog' weighs inf",
       [](fly_hello& h) {
         one_monitor(h, {FLYBALL_NEITHER, 1, 2, kEndless});
       }},
      {"'fog' has a desired value that is no number",
       [](fly_hello& h) {
         one_monitor(h, {FLYBALL_NEITHER, kNone, 2, 1});
       }},
      {"'fog' has a desired value that is no number",
       [](fly_hello& h) {
         one_monitor(h, {FLYBALL_LOWER_IS_BETTER, 0, -kEndless, 1});
       }},
      {"'fog' wants 2 to 1",
       [](fly_hello& h) {
         one_monitor(h, {FLYBALL_NEITHER, 2, 1, 1});
       }},
      {"'fog' wants 2 to 1",
       [](fly_hello& h) {
         one_monitor(h, {FLYBALL_NEITHER, 2, 1, 0});
       }},
      {"monitors: are not",
       [](fly_hello& h) {
         one_monitor(h, {3, 1, 2, 1});
       }},
  };
  Offer good;
  const fly_hello right = good_hello();
  EXPECT_EQ(read_offer({reinterpret_cast<const char*>(&right), sizeof right}, good), "");
  for (const auto& [word, lie] : lies) {
    fly_hello hello = right;
    lie(hello);
    Offer offer;
    const std::string why =
        read_offer({reinterpret_cast<const char*>(&hello), sizeof hello}, offer);
    EXPECT_NE(why.find(word), std::string::npos) << word << ": '" << why << "'";
  }
  for (std::size_t bytes = 0; bytes < sizeof right; bytes += 7) {
    Offer offer;
    EXPECT_NE(read_offer({reinterpret_cast<const char*>(&right), bytes}, offer), "");
  }
}

TEST(Hostile, ADesiredValueOfTheSideThatIsNotWatchedIsNotHeldAgainstTheOther) {
  for (const MonitorAsked& asked : {MonitorAsked{FLYBALL_HIGHER_IS_BETTER, 80, 0, 1},
                                    {FLYBALL_LOWER_IS_BETTER, 0, -5, 1},
                                    {FLYBALL_NEITHER, 2, 2, 1},
                                    {FLYBALL_NEITHER, 0, 0, 0}}) {
    fly_hello hello = good_hello();
    one_monitor(hello, asked);
    Offer offer;
    EXPECT_EQ(read_offer({reinterpret_cast<const char*>(&hello), sizeof hello}, offer), "");
    ASSERT_EQ(offer.monitors.size(), 1u);
  }
}

TEST(Hostile, TheLibraryRefusesMonitorsAsTheGovernorDoes) {
  for (const MonitorAsked& asked : {MonitorAsked{FLYBALL_NEITHER, 2, 1, 1},
                                    {FLYBALL_NEITHER, 2, 1, 0},
                                    {FLYBALL_NEITHER, 1, 2, -1},
                                    {FLYBALL_NEITHER, kNone, 2, 1},
                                    {FLYBALL_LOWER_IS_BETTER, 0, 1, kEndless}}) {
    const flyball_monitor fog{
        "fog", "", asked.direction, asked.desired_min, asked.desired_max, asked.weight};
    flyball_application app{};
    app.name = "camera";
    app.monitors = &fog;
    app.monitor_count = 1;
    flyball_session* session = nullptr;
    EXPECT_EQ(flyball_open(&app, &session), EINVAL);
    EXPECT_NE(std::string(flyball_why()).find("monitor 'fog'"), std::string::npos) << flyball_why();
    fly_hello hello = good_hello();
    one_monitor(hello, asked);
    Offer offer;
    EXPECT_NE(read_offer({reinterpret_cast<const char*>(&hello), sizeof hello}, offer), "");
  }
}

TEST(Hostile, AKnobWithAValueTwiceIsRefused) {
  const auto refusal = [](const std::string& texts) {
    fly_hello hello = good_hello();
    hello.knob_count = 1;
    std::strcpy(hello.knob[0].name, "model");
    hello.knob[0].count = hello.level_count = 3;
    for (int level = 0; level < 3; ++level) hello.accuracy_pct[level] = 70;
    hello.text_bytes = static_cast<std::uint32_t>(texts.size());
    std::string message(reinterpret_cast<const char*>(&hello), sizeof hello);
    message += texts;
    Offer offer;
    return read_offer({message.data(), message.size()}, offer);
  };
  EXPECT_EQ(refusal(std::string("a\0b\0aa\0", 7)), "");
  EXPECT_NE(refusal(std::string("a\0b\0a\0", 6)).find("knobs"), std::string::npos);
}

TEST(Hostile, MemoryCannotBeTakenAway) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  RawClient client(dir.socket());
  ASSERT_NE(client.shared, nullptr);
  EXPECT_NE(ftruncate(client.memory, 0), 0);
  EXPECT_NE(ftruncate(client.memory, 1 << 20), 0);
  EXPECT_NE(fcntl(client.memory, F_ADD_SEALS, F_SEAL_WRITE), 0);
  fallocate(client.memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, FLYBALL_SHARED_BYTES);
  serves_others(dir, governor);
}

TEST(Hostile, WhatIsWrittenIntoMemoryIsNotBelieved) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  RawClient client(dir.socket());
  ASSERT_NE(client.shared, nullptr);
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound_now == 1; }));
  std::mt19937_64 random(7);
  for (int round = 0; round < 300; ++round) {
    auto* bytes = reinterpret_cast<char*>(client.shared);
    for (int i = 0; i < 400; ++i) {
      const std::uint64_t word = random();
      std::memcpy(bytes + 8 * (random() % (sizeof(fly_shared) / 8)), &word, sizeof word);
    }
    __atomic_store_n(&client.shared->head, random() % 3 == 0 ? random() : random() % 4000,
                     __ATOMIC_RELEASE);
  }
  for (const JobRecord& job : governor.agent.seen().jobs) {
    EXPECT_LE(job.start_ns, job.finish_ns);
    EXPECT_LT(job.setting.level, 1);
  }
  serves_others(dir, governor);
}

TEST(Hostile, AReportThatIsNotBelievedIsLostOnce) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  RawClient client(dir.socket());
  ASSERT_NE(client.shared, nullptr);
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound_now == 1; }));
  const std::int64_t now_ns = monotonic_ns();
  for (std::uint64_t i = 0; i < 20; ++i) {
    fly_job& job = client.shared->job[i];
    job.sequence = i;
    job.release_ns = job.start_ns = job.finish_ns = now_ns;
    job.level = i % 4 == 3 ? 1 : 0;  // 1 is not offered
  }
  __atomic_store_n(&client.shared->head, 20, __ATOMIC_RELEASE);
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().finished == 15; }));
  const auto lost = [&] {
    const auto all = applications_of(dir);
    return all.empty() ? -1 : all[0].value("lost", 0);
  };
  EXPECT_TRUE(comes_about([&] { return lost() == 5; })) << lost();
}

TEST(Hostile, OneThatFloodsIsHungUpOn) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  RawClient client(dir.socket());
  ASSERT_NE(client.shared, nullptr);
  fly_change change{};
  change.magic = FLY_MAGIC;
  change.kind = FLY_VOTE;
  change.vote = FLY_VOTE_RESET;
  for (int i = 0; i < 10'000; ++i) {
    if (send(client.socket, &change, sizeof change, MSG_NOSIGNAL) < 0) break;
  }
  EXPECT_TRUE(comes_about([&] { return governor.places_taken() == 0; }));
  serves_others(dir, governor);
}

TEST(Hostile, WithoutDescriptorsItGoesOnAndComesBack) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  std::vector<int> waiting;
  for (int i = 0; i < 3; ++i) waiting.push_back(connect_raw(dir.socket()));
  const int next = dup(0);
  close(next);
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(next) + 1;
  const int late = socket(AF_UNIX, SOCK_SEQPACKET, 0);  // takes the last one
  setrlimit(RLIMIT_NOFILE, &few);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", dir.socket().c_str());
  connect(late, reinterpret_cast<sockaddr*>(&address), sizeof address);
  const std::int64_t until_ns = monotonic_ns() + 20'000'000;
  comes_about([&] { return monotonic_ns() > until_ns; });
  setrlimit(RLIMIT_NOFILE, &before);
  for (const int fd : waiting) close(fd);
  close(late);
  serves_others(dir, governor);
}

TEST(Hostile, ASessionEndsWithItsProcessThoughAChildHasTheSocket) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    RawClient client(dir.socket());
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      pause();  // with all that it inherited
      _exit(0);
    }
    if (write(pipe_ends[1], &grandchild, sizeof grandchild) < 0) _exit(1);
    pause();
    _exit(0);
  }
  pid_t grandchild = 0;
  ASSERT_EQ(read(pipe_ends[0], &grandchild, sizeof grandchild),
            static_cast<ssize_t>(sizeof grandchild));
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound_now == 1; }));
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_TRUE(comes_about([&] { return governor.agent.seen().bound_now == 0; }));
  EXPECT_EQ(kill(grandchild, 0), 0);  // it is there still
  kill(grandchild, SIGKILL);
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST(Hostile, AUserMayHaveSoManySessionsAndNoMore) {
  if (geteuid() != 0) GTEST_SKIP() << "another user's sessions need root";
  const SocketDir dir;
  chmod(dir.path().c_str(), 0755);
  TestGovernor governor(dir.path());
  const pid_t child = fork();
  if (child == 0) {
    if (setuid(65534) != 0) _exit(99);
    std::vector<std::unique_ptr<TestSession>> open;
    for (int i = 0; i < FLYBALL_SESSIONS_OF_USER; ++i) {
      open.push_back(std::make_unique<TestSession>(dir.socket()));
      if (open.back()->error != 0 || flyball_connected(open.back()->session) != 1) _exit(1);
    }
    const TestSession more(dir.socket());
    _exit(more.error == EUSERS ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  serves_others(dir, governor);
}

TEST(Hostile, WhatIsLearnedIsOfANameAUserAndAProgram) {
  const std::string mine = guest_profile("known", 1000, getpid());
  EXPECT_EQ(mine, guest_profile("known", 1000, getpid()));
  EXPECT_NE(mine, guest_profile("known", 1001, getpid()));
  EXPECT_NE(mine, guest_profile("other", 1000, getpid()));
  EXPECT_NE(mine, "known");  // nobody poses as a kind that the platform knows
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/sleep", "sleep", "1000", nullptr);
    _exit(1);
  }
  EXPECT_TRUE(comes_about([&] { return guest_profile("known", 1000, child) != mine; }));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

/// `channel_client` in a process of its own.
class ClientProcess {
 public:
  ClientProcess(const std::string& socket, const char* how, const char* count) : pid_(fork()) {
    if (pid_ != 0) return;
    setenv("FLYBALL_SOCKET", socket.c_str(), 1);
    if (freopen("/dev/null", "w", stdout) == nullptr) _exit(126);
    execl(FLYBALL_BIN_DIR "/channel_client", "channel_client", how, count, nullptr);
    _exit(127);
  }
  ~ClientProcess() {
    signal(SIGKILL);
    wait();
  }
  void signal(int number) const {
    if (pid_ > 0) kill(pid_, number);
  }
  /// 128 + signal when one ended it.
  int wait() {
    if (pid_ <= 0) return -1;
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_;
};

nlohmann::json only_application(const SocketDir& dir) {
  const auto all = applications_of(dir);
  return all.size() == 1 ? all[0] : nlohmann::json::object();
}

TEST(Hostile, AClientThatIsStoppedCountsForNothingUntilItGoesOn) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  ClientProcess client(dir.socket(), "paced", "1000000");
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().finished > 20; }));
  client.signal(SIGSTOP);
  ASSERT_TRUE(comes_about([&] { return only_application(dir).value("silent", false); }));
  EXPECT_FALSE(governor.agent.seen().active);
  serves_others(dir, governor);
  const std::uint64_t before = governor.agent.seen().finished;
  client.signal(SIGCONT);
  EXPECT_TRUE(comes_about([&] { return governor.agent.seen().finished > before; }));
  EXPECT_TRUE(comes_about([&] {
    const auto shown = only_application(dir);
    return !shown.value("silent", true) && shown.value("lost", -1) == 0;
  }));
  client.signal(SIGKILL);
  EXPECT_TRUE(comes_about([&] { return governor.places_taken() == 0; }));
}

TEST(Hostile, AClientThatHangsInAJobDoesNotHoldTheMachine) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  ClientProcess client(dir.socket(), "hang", "5");
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().running; }));
  ASSERT_TRUE(comes_about([&] { return !governor.agent.seen().running; }));
  EXPECT_TRUE(comes_about([&] { return only_application(dir).value("silent", false); }));
  EXPECT_EQ(governor.agent.seen().finished, 5u);
  serves_others(dir, governor);
}

TEST(Hostile, AllReportsOfAClientThatAbortsAreRead) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  ClientProcess client(dir.socket(), "die", "100");
  EXPECT_EQ(client.wait(), 128 + SIGABRT);
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound.size() == 1; }));
  EXPECT_TRUE(comes_about([&] { return governor.places_taken() == 0; }));
  EXPECT_EQ(governor.agent.seen().finished, 100u);
}

/// It has written one report, half of the next one, and half of what runs.
TEST(Hostile, OfAClientThatIsKilledWhileItWritesOnlyWhatIsWholeIsRead) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    RawClient client(dir.socket());
    if (client.shared == nullptr) _exit(1);
    const std::int64_t now_ns = monotonic_ns();
    fly_running& running = client.shared->running;
    running.busy = 1;
    running.release_ns = running.start_ns = now_ns;
    __atomic_store_n(&running.sequence, 3, __ATOMIC_RELEASE);  // odd
    fly_job& whole = client.shared->job[0];
    whole.release_ns = whole.start_ns = whole.finish_ns = now_ns;
    client.shared->job[1].finish_ns = now_ns;  // its start is still to be written, and the head
    client.shared->job[1].sequence = 1;
    __atomic_store_n(&client.shared->head, 1, __ATOMIC_RELEASE);
    if (write(ends[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char written = 0;
  ASSERT_EQ(read(ends[0], &written, 1), 1);
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().finished == 1; }));
  EXPECT_FALSE(governor.agent.seen().running);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(comes_about([&] { return governor.places_taken() == 0; }));
  EXPECT_EQ(governor.agent.seen().finished, 1u);
  EXPECT_FALSE(governor.agent.seen().running);
  serves_others(dir, governor);
  close(ends[0]);
  close(ends[1]);
}

/// Of a policy file's payload, from the name of a profile on.
std::vector<std::uint8_t> learned_from(const Agent& agent, const std::string& profile) {
  ByteWriter out;
  agent.save(out);
  const std::vector<std::uint8_t> all = out.take();
  const auto at = std::search(all.begin(), all.end(), profile.begin(), profile.end());
  return {at, all.end()};
}

/// Jobs of two programs of one name and one user: what each teaches is its own.
TEST(Hostile, ReportsTrainOnlyWhatIsOfTheSameProgram) {
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "an emulated program cannot start another";
  const PlatformSpec spec = two_clusters();
  const Belief belief = Belief::of(spec);
  const auto agent = make_agent("q_learning", {belief, reward_weights(belief), 1, nullptr});
  const SocketDir dir;
  const auto profile = [&] { return only_application(dir).value("profile", ""); };
  std::string mine, other;
  {
    TestGovernor governor(dir.path(), false, spec, agent.get());
    TestSession client(dir.socket(), 0, "child");
    int jobs = 0;
    ASSERT_TRUE(comes_about([&] {
      jobs += client.job() == 0;
      return jobs > 150;
    }));
    ASSERT_TRUE(comes_about([&] { return !(mine = profile()).empty(); }));
  }
  const std::vector<std::uint8_t> before = learned_from(*agent, mine);
  ASSERT_FALSE(before.empty());
  {
    TestGovernor governor(dir.path(), false, spec, agent.get());
    ClientProcess client(dir.socket(), "paced", "150");
    ASSERT_TRUE(comes_about([&] { return !(other = profile()).empty(); }));
    EXPECT_EQ(client.wait(), 0);
    ASSERT_TRUE(comes_about([&] { return governor.places_taken() == 0; }));
  }
  ASSERT_NE(mine, other);
  std::vector<std::uint8_t> after = learned_from(*agent, mine);
  const std::vector<std::uint8_t> others = learned_from(*agent, other);
  ASSERT_FALSE(others.empty());  // it was trained, with as many tables
  const std::size_t each =
      std::max(after.size(), others.size()) - std::min(after.size(), others.size());
  after.resize(each - 4);  // up to the length of the next name
  ASSERT_GE(before.size(), after.size());
  EXPECT_TRUE(std::equal(after.begin(), after.end(), before.begin()));
  // And is seen to change when it is trained itself.
  {
    TestGovernor governor(dir.path(), false, spec, agent.get());
    TestSession client(dir.socket(), 0, "child");
    int jobs = 0;
    ASSERT_TRUE(comes_about([&] {
      jobs += client.job() == 0;
      return jobs > 150;
    }));
  }
  const std::vector<std::uint8_t> trained = learned_from(*agent, mine);
  EXPECT_FALSE(std::equal(after.begin(), after.end(), trained.begin()));
}

}  // namespace
}  // namespace flyball
