// Many at the door: connections without end, of one user, keep no other out.

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "governor/channel/arrival_limit.h"
#include "kernels/base/error.h"
#include "tests/channel/raw_client.h"

namespace flyball {
namespace {

constexpr uid_t kNobody = 65534;

TEST(ArrivalLimit, CountsEachUserForItselfAndASecondAtATime) {
  constexpr std::int64_t kSecondNs = 1'000'000'000;
  const uid_t one = geteuid() + 1, other = geteuid() + 2;
  ArrivalLimit limit(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.admits(one, 5 * kSecondNs + i));
  EXPECT_FALSE(limit.admits(one, 5 * kSecondNs + 4));
  EXPECT_TRUE(limit.admits(other, 5 * kSecondNs + 5));
  EXPECT_TRUE(limit.admits(0, 5 * kSecondNs + 6));
  EXPECT_FALSE(limit.admits(one, 6 * kSecondNs - 1));
  EXPECT_TRUE(limit.admits(one, 6 * kSecondNs));
}

TEST(ArrivalLimit, UsersWithoutEndLeaveRootAndTheGovernorsUserAlone) {
  ArrivalLimit limit(2);
  int admitted = 0;
  for (uid_t user = 100'000; user < 200'000; ++user) admitted += limit.admits(user, 0);
  EXPECT_EQ(admitted, static_cast<int>(ArrivalLimit::kMostUsers) + 2);  // the rest are as one
  EXPECT_TRUE(limit.admits(100'000, 0));                                // was there early
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(limit.admits(0, 0));
  EXPECT_FALSE(limit.admits(0, 0));
  EXPECT_EQ(limit.admits(geteuid(), 0), geteuid() != 0);
}

/// Connects and hangs up without end, as another user.
class Flood {
 public:
  explicit Flood(const std::string& socket)
      : count_(static_cast<std::atomic<long>*>(mmap(nullptr, sizeof(std::atomic<long>),
                                                    PROT_READ | PROT_WRITE,
                                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    for (pid_t& child : children_) {
      child = fork();
      if (child != 0) continue;
      if (setuid(kNobody) != 0) _exit(1);
      for (;;) {
        const int fd = connect_raw(socket, 0);
        if (fd < 0) continue;
        ++*count_;
        close(fd);
      }
    }
  }
  ~Flood() {
    for (const pid_t child : children_) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
    munmap(count_, sizeof *count_);
  }
  long count() const { return *count_; }

 private:
  std::atomic<long>* count_;
  std::array<pid_t, 2> children_{};
};

TEST(Crowd, AFloodOfOneUserKeepsNoOtherOut) {
  if (geteuid() != 0) GTEST_SKIP() << "another user's connections need root";
  const SocketDir dir;
  chmod(dir.path().c_str(), 0755);
  TestGovernor governor(dir.path());
  const Flood flood(dir.socket());
  for (int round = 0; round < 8; ++round) {
    const long before = flood.count();
    ASSERT_TRUE(
        comes_about([&] { return flood.count() > before + ChannelServer::kMaxNewPerSecond; }));
    serves_others(dir, governor);
    EXPECT_NE(ask_for_applications(dir.path()), "");
  }
}

TEST(Crowd, WhoAsksTooOftenWaitsAndIsNotToldThatNobodyGoverns) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  for (int i = 0; i < 3 * ChannelServer::kMaxNewPerSecond; ++i)
    ASSERT_NE(ask_for_applications(dir.path()), "") << i;
}

int open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<int>(std::distance(begin(all), end(all)));
}

struct Crowded {
  int connected = 0, hung_up_on = 0, told_why = 0;
  std::int64_t lasted_ns = 0;
};

/// As many connections as there are, all held, and what became of each.
Crowded hold(const std::string& socket, int count) {
  Crowded out;
  const std::int64_t start_ns = monotonic_ns();
  std::vector<int> held;
  for (int i = 0; i < count; ++i) {
    const int fd = connect_raw(socket, 60);
    if (fd >= 0) held.push_back(fd);
  }
  out.connected = static_cast<int>(held.size());
  out.lasted_ns = monotonic_ns() - start_ns;
  for (const int fd : held) {
    fly_welcome answer{};
    ssize_t got = recv(fd, &answer, sizeof answer, 0);
    if (got == static_cast<ssize_t>(sizeof answer)) {
      out.told_why += answer.error == EBUSY;
      got = recv(fd, &answer, sizeof answer, 0);
    }
    out.hung_up_on += got == 0;
  }
  return out;
}

TEST(Crowd, TenThousandConnectionsAtOnceLeaveNothingBehind) {
  constexpr int kCount = 10'000;
  rlimit most{};
  getrlimit(RLIMIT_NOFILE, &most);
  if (most.rlim_max < kCount + 100) GTEST_SKIP() << "so many descriptors are not to be had";
  const SocketDir dir;
  TestGovernor governor(dir.path());
  serves_others(dir, governor);
  ASSERT_TRUE(comes_about([&] { return governor.places_taken() == 0; }));
  const int before = open_descriptors();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const rlimit all{most.rlim_max, most.rlim_max};
    setrlimit(RLIMIT_NOFILE, &all);
    const Crowded crowd = hold(dir.socket(), kCount);
    _exit(write(ends[1], &crowd, sizeof crowd) == sizeof crowd ? 0 : 1);
  }
  close(ends[1]);
  Crowded crowd;
  ASSERT_EQ(read(ends[0], &crowd, sizeof crowd), static_cast<ssize_t>(sizeof crowd));
  close(ends[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(crowd.connected, kCount);                                // each waits in line
  EXPECT_EQ(crowd.hung_up_on, kCount);                               // and has said nothing
  const std::int64_t seconds = crowd.lasted_ns / 1'000'000'000 + 2;  // that it was in, or in part
  EXPECT_GE(crowd.told_why, kCount - seconds * ChannelServer::kMaxNewPerSecond);
  serves_others(dir, governor);
  EXPECT_TRUE(comes_about([&] { return open_descriptors() <= before; })) << open_descriptors();
}

TEST(Crowd, SilentConnectionsKeepNobodyOut) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  std::vector<int> silent;
  for (int i = 0; i < 50; ++i) silent.push_back(connect_raw(dir.socket()));
  serves_others(dir, governor);
  for (const int fd : silent) close(fd);
}

}  // namespace
}  // namespace flyball
