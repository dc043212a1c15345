// Clocks asked for by the utilisation clamps of threads, against a scheduler that a test scripts, and what of
// it this very Linux kernel holds to.

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <system_error>

#include "env/linux/actuate/choice.h"
#include "env/linux/actuate/clamp_hand.h"
#include "env/linux/linux_platform.h"
#include "tests/env/allocation_counter.h"
#include "tests/env/linux_kernel.h"
#include "tests/env/linux_tree.h"

namespace flyball {
namespace {

/// A Linux kernel that keeps clamps by thread. Thread 0 is the calling one.
struct ClampKernel final : ClampCalls {
  struct Thread {
    CpuSet cpus;
    UtilClamps clamps{};
    int refuses = 0;
  };
  std::map<pid_t, Thread> threads{{0, {}}};
  int writes = 0;

  int read(pid_t thread, UtilClamps& now) noexcept override {
    const auto found = threads.find(thread);
    if (found == threads.end()) return ESRCH;
    now = found->second.clamps;
    return 0;
  }
  int write(pid_t thread, const UtilClamps& wanted) noexcept override {
    const auto found = threads.find(thread);
    if (found == threads.end()) return ESRCH;
    if (found->second.refuses != 0) return found->second.refuses;
    if (wanted.min > wanted.max || wanted.max > UtilClamps::kFull) return EINVAL;
    ++writes;
    found->second.clamps = wanted;
    return 0;
  }
  int cpus(pid_t thread, CpuSet& allowed) noexcept override {
    const auto found = threads.find(thread);
    if (found == threads.end()) return ESRCH;
    allowed = found->second.cpus;
    return 0;
  }
};

/// The frequency that schedutil asks the driver for, as the Linux kernel computes it before 6.8.
std::int64_t asked_by_schedutil(std::uint32_t util, std::int64_t top_khz, std::int64_t capacity) {
  const std::int64_t with_headroom = util + (util >> 2);
  return std::min(top_khz, top_khz * with_headroom / capacity);
}

struct Kept final : SettingHook {
  int on_write(std::string_view, std::string_view, bool, std::string_view) noexcept override {
    return 0;
  }
  int on_clamp(pid_t thread, const UtilClamps& before,
               const UtilClamps& intended) noexcept override {
    told.push_back({thread, before, intended});
    return answer;
  }
  void on_clamp_left(pid_t thread, bool given_back) noexcept override {
    left.emplace_back(thread, given_back);
  }
  struct Told {
    pid_t thread;
    UtilClamps before, intended;
  };
  std::vector<Told> told;
  std::vector<std::pair<pid_t, bool>> left;
  int answer = 0;
};

constexpr std::int64_t kBigKhz = 2'000'000, kLittleKhz = 1'400'000;
const CpuSet kLittle{0, 1, 2, 3}, kBig{4, 5, 6, 7};

class Clamps : public ::testing::Test {
 protected:
  Clamps() {
    kernel_.threads[100] = {kBig};
    kernel_.threads[101] = {kLittle};
    kernel_.threads[102] = {kLittle | kBig};
    hand_.add_cluster(kLittle, kLittleKhz, 400);
    hand_.add_cluster(kBig, kBigKhz, 1024);
  }
  void name(const std::vector<pid_t>& threads) { hand_.set_threads(threads); }
  UtilClamps of(pid_t thread) { return kernel_.threads.at(thread).clamps; }

  ClampKernel kernel_;
  Kept kept_;
  ClampHand hand_{kernel_, &kept_, /*headroom=*/true};
};

TEST(ClampOfClock, GivesTheClockAndNoneAboveAsSchedutilReckons) {
  // 1024 * 1000 / 2000 / 1.25 = 409.6
  EXPECT_EQ(clamp_of_clock(1'000'000, kBigKhz, 1024, true), 409u);
  EXPECT_EQ(clamp_of_clock(1'000'000, kBigKhz, 1024, false), 512u);
  EXPECT_EQ(clamp_of_clock(kBigKhz, kBigKhz, 1024, false), 1024u);
  EXPECT_EQ(clamp_of_clock(1, kBigKhz, 1024, true), 1u);
  for (const auto& [top_khz, capacity] :
       {std::pair{kBigKhz, 1024}, std::pair{kLittleKhz, 400}, std::pair{kLittleKhz, 539}}) {
    for (std::int64_t khz = 200'000; khz <= top_khz; khz += 100'000) {
      const std::int64_t asked =
          asked_by_schedutil(clamp_of_clock(khz, top_khz, capacity, true), top_khz, capacity);
      EXPECT_LE(asked, khz) << capacity;
      EXPECT_GT(asked, khz - 100'000) << capacity;  // the next operating point is this one
    }
  }
}

TEST(ClampOfClock, HeadroomIsAddedToClampsUpTo67) {
  EXPECT_TRUE(adds_headroom_to_clamps("5.15.0-91-generic"));
  EXPECT_TRUE(adds_headroom_to_clamps("6.7.12"));
  EXPECT_FALSE(adds_headroom_to_clamps("6.8.0-rc1"));
  EXPECT_FALSE(adds_headroom_to_clamps("6.10.1"));
  EXPECT_FALSE(adds_headroom_to_clamps("7.0"));
}

TEST_F(Clamps, EachThreadIsClampedForTheClusterItRunsOn) {
  name({100, 101, 102});
  hand_.ask(0, 700'000);
  hand_.ask(1, 1'000'000);
  hand_.turn(1);
  EXPECT_EQ(of(100), (UtilClamps{409, 409}));
  EXPECT_EQ(of(101), (UtilClamps{160, 160}));  // 400 / 2 / 1.25
  EXPECT_EQ(of(102), (UtilClamps{409, 409})) << "may run on both: none is to be too slow";
  EXPECT_EQ(hand_.report(0).writes, 1u);
  EXPECT_EQ(hand_.report(1).writes, 2u);
}

TEST_F(Clamps, NothingIsWrittenThatIsSoAlreadyAndAllIsGivenBack) {
  kernel_.threads[100].clamps = {10, 800};
  {
    ClampHand hand(kernel_, &kept_, true);
    hand.add_cluster(kBig, kBigKhz, 1024);
    const std::vector<pid_t> threads = {100};
    hand.set_threads(threads);
    hand.ask(0, 1'000'000);
    for (int epoch = 0; epoch < 5; ++epoch) hand.turn(epoch);
    EXPECT_EQ(kernel_.writes, 1);
    hand.hand_over();
    EXPECT_EQ(of(100), (UtilClamps{10, 800}));
    hand.turn(9);
    EXPECT_EQ(of(100), (UtilClamps{409, 409}));
  }
  EXPECT_EQ(of(100), (UtilClamps{10, 800}));
  ASSERT_FALSE(kept_.told.empty());
  EXPECT_EQ(kept_.told[0].before, (UtilClamps{10, 800}));
  EXPECT_EQ(kept_.told[0].intended, (UtilClamps{409, 409}));
  EXPECT_EQ(kept_.left.back(), (std::pair<pid_t, bool>{100, true}));
}

TEST_F(Clamps, AThreadThatIsNoMoreNamedIsAsItWas) {
  name({100, 101});
  hand_.ask(0, kLittleKhz);
  hand_.ask(1, 500'000);
  hand_.turn(1);
  name({101});
  EXPECT_EQ(of(100), UtilClamps());
  EXPECT_NE(of(101), UtilClamps());
  EXPECT_EQ(hand_.threads(), 1u);
}

TEST_F(Clamps, WhatIsNotKeptIsNotWritten) {
  kept_.answer = ENOSPC;
  name({100});
  hand_.ask(1, 500'000);
  hand_.turn(1);
  EXPECT_EQ(kernel_.writes, 0);
  EXPECT_EQ(hand_.report(1).error, ENOSPC);
}

TEST_F(Clamps, ARefusalIsCountedAndTriedAgainASecondLaterOthersGoOn) {
  for (const int error : {EPERM, EOPNOTSUPP}) {
    kernel_.threads[100].refuses = error;
    name({100, 102});
    hand_.ask(1, 1'000'000);
    hand_.turn(1);
    EXPECT_EQ(hand_.report(1).error, error);
    const std::uint64_t refused = hand_.report(1).refused;
    hand_.turn(2);
    EXPECT_EQ(hand_.report(1).refused, refused) << "too early";
    EXPECT_EQ(hand_.report(1).error, error);
    EXPECT_EQ(of(102), (UtilClamps{409, 409}));
    kernel_.threads[100].refuses = 0;
    hand_.turn(2 + ClampHand::kRetryNs);
    EXPECT_EQ(hand_.report(1).error, 0);
    EXPECT_EQ(of(100), (UtilClamps{409, 409}));
    name({});
  }
}

TEST_F(Clamps, AThreadThatHasEndedIsForgotten) {
  name({100, 101});
  hand_.ask(0, 500'000);
  hand_.ask(1, 500'000);
  hand_.turn(1);
  kernel_.threads.erase(100);
  hand_.turn(2);
  EXPECT_EQ(hand_.threads(), 1u);
  EXPECT_EQ(hand_.report(1).refused, 0u);
}

TEST_F(Clamps, WhomSomebodyElseHasClampedSinceIsLeftToThem) {
  name({100});
  hand_.ask(1, 1'000'000);
  hand_.turn(1);
  kernel_.threads[100].clamps = {0, 300};
  hand_.ask(1, 500'000);
  hand_.turn(2);
  hand_.turn(3);
  hand_.hand_over();
  EXPECT_EQ(of(100), (UtilClamps{0, 300}));
  EXPECT_EQ(hand_.report(1).stood_down, 1);
  EXPECT_EQ(kept_.left.back(), (std::pair<pid_t, bool>{100, false}));
}

TEST_F(Clamps, AnEpochAllocatesNothing) {
  ClampHand hand(kernel_, nullptr, true);
  hand.add_cluster(kBig, kBigKhz, 1024);
  const std::vector<pid_t> all = {100, 101, 102}, some = {102};
  const std::uint64_t before = thread_allocations();
  for (int epoch = 0; epoch < 10; ++epoch) {
    hand.set_threads(epoch % 2 == 0 ? all : some);
    hand.ask(0, 200'000 + 100'000 * epoch);
    hand.turn(epoch);
  }
  EXPECT_EQ(thread_allocations(), before);
  EXPECT_GT(kernel_.writes, 10);
}

/// Jobs that run on these threads, and nothing else of them.
struct ThreadsOfJobs final : JobSource {
  explicit ThreadsOfJobs(std::vector<int> ids_in) : ids(std::move(ids_in)) {}
  void begin(std::int64_t) noexcept override {}
  Doorbell& bell() noexcept override { return doorbell; }
  void ask(const Action&) noexcept override {}
  void report_to(Observation*) noexcept override {}
  std::int64_t next_ns() const noexcept override { return std::int64_t{1} << 62; }
  void run_until(std::int64_t, double,
                 const std::array<std::int64_t, kMaxClusters>&) noexcept override {}
  double busy_cores(int) const noexcept override { return 0; }
  bool ran_on(int) const noexcept override { return false; }
  bool expects_jobs() const noexcept override { return true; }
  bool stops(const EpochRequest&) const noexcept override { return false; }
  bool over() const noexcept override { return false; }
  bool failed() const noexcept override { return false; }
  void observe(Observation&) const noexcept override {}
  void close_epoch(Observation&) noexcept override {}
  void end() noexcept override {}
  double energy_preference() const noexcept override { return 0.5; }
  const Binding& binding(int) const override { return nobody; }
  std::vector<int> thread_ids() const override { return ids; }

  std::vector<int> ids;
  Doorbell doorbell;
  Binding nobody;
};

TEST(ClampsOfAPlatform, TheGovernorAndItsLimitsAreNotTouched) {
  const testing::LinuxTree tree;
  tree.make_xu3();
  tree.write("/proc/sys/kernel/sched_util_clamp_max", "1024\n");
  const SysTree at(tree.root());
  testing::CpufreqKernel files;
  const std::string folder = "/sys/devices/system/cpu/cpufreq/";
  files.add(folder + "policy0", {200000, 1400000});
  files.add(folder + "policy4", {200000, 2000000});
  ClampKernel kernel;
  kernel.threads[100] = {CpuSet{4, 5, 6, 7}};
  LinuxOptions options;
  options.calls = &files;
  options.clamps = &kernel;
  options.actuator = ActuatorKind::kUclamp;
  ThreadsOfJobs jobs({100});
  options.jobs = &jobs;
  {
    LinuxPlatform platform(at, discover_machine(at), options);
    ASSERT_EQ(platform.clusters()[1].actuator, ActuatorKind::kUclamp) << platform.clusters()[1].why;
    Action action;
    action.opp[0] = action.opp[1] = 0;
    platform.apply(action);
    EXPECT_EQ(kernel.threads[100].clamps, (UtilClamps{81, 81}));  // 1024 / 10 / 1.25 = 81.92
    EXPECT_EQ(platform.clusters()[1].hand.writes, 1u);
    platform.leave_to_linux(true);
    EXPECT_EQ(kernel.threads[100].clamps, UtilClamps());
    platform.leave_to_linux(false);
    platform.apply(action);
    EXPECT_EQ(kernel.threads[100].clamps, (UtilClamps{81, 81}));
  }
  EXPECT_EQ(kernel.threads[100].clamps, UtilClamps());
  EXPECT_TRUE(files.log().empty());
}

TEST(ClampsOfAPlatform, AreRefusedWithTheReasonAndChosenByNobody) {
  LinuxMachine machine;
  CpufreqPolicy policy;
  policy.governor = "schedutil";
  policy.table_khz = {200000, 1400000};
  policy.hardware_min_khz = 200000;
  policy.hardware_max_khz = 1400000;
  policy.can_bound = policy.can_set_speed = true;
  const auto chosen = [&](ActuatorKind asked) { return choose_actuator(machine, policy, asked); };
  EXPECT_EQ(chosen(ActuatorKind::kUclamp).kind, ActuatorKind::kNone);
  EXPECT_NE(chosen(ActuatorKind::kUclamp).why.find("CONFIG_UCLAMP_TASK"), std::string::npos);
  machine.uclamp = true;
  EXPECT_EQ(chosen(ActuatorKind::kUclamp).kind, ActuatorKind::kUclamp);
  EXPECT_NE(chosen(ActuatorKind::kAuto).kind, ActuatorKind::kUclamp);
  policy.governor = "performance";
  EXPECT_EQ(chosen(ActuatorKind::kUclamp).kind, ActuatorKind::kNone);
  EXPECT_NE(chosen(ActuatorKind::kUclamp).why.find("schedutil"), std::string::npos);
}

TEST(ClampContract, AProbeSaysWhetherThisLinuxKernelHasThem) {
  for (const int error : {EOPNOTSUPP, EINVAL, E2BIG, EPERM}) {
    ClampKernel kernel;
    kernel.threads[0].refuses = error;
    EXPECT_EQ(probe_clamps(kernel), error);
  }
  ClampKernel kernel;
  kernel.threads[0].clamps = {5, 600};
  EXPECT_EQ(probe_clamps(kernel), 0);
  EXPECT_EQ(kernel.threads[0].clamps, (UtilClamps{5, 600}));
}

TEST(ClampContract, ThisLinuxKernelKeepsWhatIsWritten) {
  ClampCalls& calls = linux_clamp_calls();
  CpuSet allowed;
  ASSERT_EQ(calls.cpus(0, allowed), 0);
  EXPECT_EQ(allowed, thread_affinity());
  EXPECT_EQ(calls.cpus(1 << 30, allowed), ESRCH);
  if (const int error = probe_clamps(calls)) {
    EXPECT_TRUE(error == EOPNOTSUPP || error == EINVAL || error == E2BIG || error == EPERM)
        << error;
    GTEST_SKIP() << "this Linux kernel refuses clamps: " << std::generic_category().message(error);
  }
  UtilClamps before, now;
  ASSERT_EQ(calls.read(0, before), 0);
  const int policy = sched_getscheduler(0);
  ASSERT_EQ(calls.write(0, {100, 400}), 0);
  ASSERT_EQ(calls.read(0, now), 0);
  EXPECT_EQ(now, (UtilClamps{100, 400}));
  EXPECT_EQ(sched_getscheduler(0), policy);
  EXPECT_EQ(calls.write(0, {400, 100}), EINVAL);
  EXPECT_EQ(calls.write(0, before), 0);
}

}  // namespace
}  // namespace flyball
