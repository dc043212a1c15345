// Real-time threads are found in a /proc of files, and the clocks kept up for them.

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <thread>

#include "env/linux/linux_platform.h"
#include "env/linux/sense/realtime_watch.h"
#include "tests/env/linux_tree.h"

namespace flyball {
namespace {

using testing::LinuxTree;

constexpr std::int64_t kEpochNs = 18'000'000;

/// A thread as /proc shows it; policies: 0 SCHED_OTHER, 1 SCHED_FIFO, 6 SCHED_DEADLINE.
struct Thread {
  int pid, tid, policy;
  int cpu = 4;
  char state = 'S';
  bool kernel = false;
};

void show(const LinuxTree& tree, const Thread& thread) {
  const std::string at =
      "/proc/" + std::to_string(thread.pid) + "/task/" + std::to_string(thread.tid) + "/";
  std::string text = std::to_string(thread.tid) + " (a) b) " + thread.state;
  for (int field = 4; field <= 52; ++field) {
    text += ' ';
    text += field == 9    ? std::to_string(thread.kernel ? 0x00208040 : 0x00400040)
            : field == 39 ? std::to_string(thread.cpu)
            : field == 41 ? std::to_string(thread.policy)
                          : "7";
  }
  tree.write(at + "stat", text + "\n");
  if (!std::filesystem::exists(tree.path(at + "schedstat")))
    tree.write(at + "schedstat", "0 0 0\n");
}

void ran(const LinuxTree& tree, const Thread& thread, std::int64_t ns) {
  tree.write(
      "/proc/" + std::to_string(thread.pid) + "/task/" + std::to_string(thread.tid) + "/schedstat",
      std::to_string(ns) + " 0 0\n");
}

const CpuSet kLittleCpus{0, 1, 2, 3}, kBigCpus{4, 5, 6, 7};

TEST(RealtimeWatch, HoldsWhereOneRanAndForASecond) {
  const LinuxTree tree;
  const Thread audio{100, 103, 1};
  for (const Thread& thread :
       {Thread{1, 1, 0}, Thread{100, 100, 0}, audio, Thread{15, 15, 1, 0, 'R', /*kernel=*/true}})
    show(tree, thread);
  RealtimeWatch watch{SysTree(tree.root())};
  EXPECT_EQ(watch.known(), 1) << "neither the kernel's own nor others";
  std::int64_t now_ns = kEpochNs;
  const auto look = [&] { watch.look(now_ns += kEpochNs); };
  look();
  look();
  EXPECT_EQ(watch.owed_on(kBigCpus), 0) << "it sleeps";
  ran(tree, audio, 250'000);
  look();
  EXPECT_EQ(watch.owed_on(kBigCpus), 1024);
  EXPECT_EQ(watch.owed_on(kLittleCpus), 0);
  const std::int64_t ran_ns = now_ns;
  while (now_ns + kEpochNs - ran_ns <= RealtimeWatch::kHoldNs) {
    look();
    EXPECT_EQ(watch.owed_on(kBigCpus), 1024);
  }
  look();
  EXPECT_EQ(watch.owed_on(kBigCpus), 0);
  // It moves.
  show(tree, {100, 103, 1, 2});
  ran(tree, audio, 500'000);
  look();
  EXPECT_EQ(watch.owed_on(kLittleCpus), 1024);
  EXPECT_EQ(watch.owed_on(kBigCpus), 0);
}

TEST(RealtimeWatch, FindsWhoBecomesOneAndForgetsWhoIsNoMore) {
  const LinuxTree tree;
  const int threads = 40;
  for (int i = 0; i < threads; ++i) show(tree, {200 + i / 4, 300 + i, 0});
  RealtimeWatch watch{SysTree(tree.root())};
  EXPECT_EQ(watch.known(), 0);
  const Thread late{209, 339, 6};
  show(tree, late);
  std::int64_t now_ns = kEpochNs;
  // All are asked once a round.
  const std::int64_t until_ns = now_ns + RealtimeWatch::kRoundNs + kEpochNs;
  while (now_ns < until_ns) watch.look(now_ns += kEpochNs);
  EXPECT_EQ(watch.known(), 1);
  show(tree, {209, 339, 0});
  ran(tree, late, 1000);
  for (int i = 0; i < 3; ++i) watch.look(now_ns += kEpochNs);
  EXPECT_EQ(watch.known(), 0);
}

/// Who reads thousands of threads' files in an epoch is late; who reads a few a second is blind.
TEST(RealtimeWatch, AsksAllOfThousandsWithinASecondAndAFewInAnEpoch) {
  const LinuxTree tree;
  constexpr int kThreads = 2000;
  for (int i = 0; i < kThreads; ++i) show(tree, {1000 + i / 100 * 100, 1000 + i, 0});
  RealtimeWatch watch{SysTree(tree.root())};
  EXPECT_EQ(watch.threads(), kThreads);
  std::int64_t now_ns = kEpochNs;
  watch.look(now_ns);
  for (const int tid : {1000, 1777, 2999}) show(tree, {tid / 100 * 100, tid, 1});
  watch.look(now_ns += kEpochNs);
  EXPECT_LT(watch.known(), 3) << "an epoch asks a part of them";
  const std::int64_t until_ns = now_ns + RealtimeWatch::kRoundNs;
  while (now_ns < until_ns) watch.look(now_ns += kEpochNs);
  EXPECT_EQ(watch.known(), 3);
}

TEST(RealtimeWatch, MeetsWhoComesLaterByItsNumber) {
  const LinuxTree tree;
  show(tree, {100, 100, 0});
  tree.write("/proc/loadavg", "0.00 0.01 0.05 1/100 200\n");
  tree.write("/proc/sys/kernel/pid_max", "32768\n");
  RealtimeWatch watch{SysTree(tree.root())};
  std::int64_t now_ns = kEpochNs;
  watch.look(now_ns);
  show(tree, {205, 205, 1});
  tree.write("/proc/loadavg", "0.00 0.01 0.05 2/101 207\n");
  watch.look(now_ns += kEpochNs);
  EXPECT_EQ(watch.known(), 1) << "in the very next epoch";
  // Numbers begin anew.
  tree.write("/proc/loadavg", "0.00 0.01 0.05 2/101 32767\n");
  for (int i = 0; i < 2 * 32768 / RealtimeWatch::kMostNewPerLook; ++i)
    watch.look(now_ns += kEpochNs);
  show(tree, {32768, 32768, 1});
  show(tree, {301, 301, 2});
  tree.write("/proc/loadavg", "0.00 0.01 0.05 2/101 305\n");
  for (int i = 0; i < 3; ++i) watch.look(now_ns += kEpochNs);
  EXPECT_EQ(watch.known(), 3);
}

TEST(RealtimeWatch, KernelThreadsCountWhileTheyKeepACoreBusyAndClocksOwnOnesNever) {
  const LinuxTree tree;
  const Thread interrupt{15, 15, 1, /*cpu=*/0, 'S', /*kernel=*/true};
  show(tree, interrupt);
  const Thread governs{16, 16, 6, /*cpu=*/4, 'S', /*kernel=*/true};
  show(tree, governs);
  std::string text = tree.read("/proc/16/task/16/stat");
  tree.write("/proc/16/task/16/stat", text.replace(text.find("a) b"), 4, "sugov:4"));
  RealtimeWatch watch{SysTree(tree.root())};
  EXPECT_EQ(watch.known(), 0) << "of programs";
  std::int64_t now_ns = kEpochNs;
  const auto look = [&](std::int64_t ns) {
    ran(tree, interrupt, ns);
    ran(tree, governs, ns);
    watch.look(now_ns += kEpochNs);
  };
  look(0);
  look(100'000);  // 0.1 ms of 18
  look(200'000);
  EXPECT_EQ(watch.owed_on(kLittleCpus), 0) << "moments";
  look(9'000'000);
  EXPECT_EQ(watch.owed_on(kLittleCpus), 1024) << "half of the time";
  EXPECT_EQ(watch.owed_on(kBigCpus), 0) << "what turns clocks for schedutil";
}

TEST(RealtimeWatch, SaysThatTheListIsFullAndProgramsComeBeforeTheKernel) {
  const LinuxTree tree;
  for (int i = 0; i < 3; ++i) show(tree, {20 + i, 20 + i, 1, 0, 'S', /*kernel=*/true});
  for (int i = 0; i < RealtimeWatch::kMostKnown; ++i) show(tree, {1000, 1000 + i, 1});
  RealtimeWatch watch{SysTree(tree.root())};
  EXPECT_EQ(watch.known(), RealtimeWatch::kMostKnown);
  EXPECT_FALSE(watch.is_full());
  show(tree, {5000, 5000, 1});
  std::int64_t now_ns = kEpochNs;
  while (now_ns < 100 * RealtimeWatch::kSearchNs) watch.look(now_ns += RealtimeWatch::kSearchNs);
  EXPECT_TRUE(watch.is_full());
}

TEST(RealtimeWatch, OfThisVeryMachine) {
  RealtimeWatch watch{SysTree()};
  EXPECT_GT(watch.threads(), 0);
  const int before = watch.known();
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) std::this_thread::yield();
  });
  const sched_param lowest{.sched_priority = 1};
  const bool allowed = pthread_setschedparam(other.native_handle(), SCHED_RR, &lowest) == 0;
  std::int64_t now_ns = kEpochNs;
  for (int i = 0; i < 200 && watch.known() == before; ++i) watch.look(now_ns += kEpochNs);
  stop = true;
  const int found = watch.known() - before;
  other.join();
  if (!allowed) GTEST_SKIP() << "may not run a thread in real time";
  EXPECT_GE(found, 1);
}

/// What is asked of the big cores of a board that is next to idle, when the lowest clock is decided on.
std::int64_t asked_khz(const LinuxTree& tree, const Thread& thread, const std::string& clamp_min) {
  show(tree, thread);
  if (!clamp_min.empty())
    tree.write("/proc/sys/kernel/sched_util_clamp_min_rt_default", clamp_min + "\n");
  const SysTree at(tree.root());
  LinuxOptions options;
  options.dry_run = true;
  LinuxPlatform platform(at, discover_machine(at), options);
  Observation now;
  for (int i = 1; i <= 3; ++i) {
    ran(tree, thread, i * 1'000'000);
    platform.apply({});
    platform.advance({.interval_ns = 1'000'000}, now);
  }
  platform.apply({});
  platform.observe(now);
  return now.cluster[1].asked_khz;
}

TEST(LinuxRealtime, NothingGoesBelowWhatSchedutilWouldGiveThem) {
  const LinuxTree other, real_time, clamped, deadline, elsewhere;
  for (const LinuxTree* tree : {&other, &real_time, &clamped, &deadline, &elsewhere})
    tree->make_xu3();
  EXPECT_EQ(asked_khz(other, {100, 100, 0}, ""), 200'000);
  EXPECT_EQ(asked_khz(real_time, {100, 100, 1}, ""), 2'000'000);
  // A quarter of a core that is one at 2000 MHz, and a fourth of it as headroom: 625 MHz.
  EXPECT_EQ(asked_khz(clamped, {100, 100, 1}, "256"), 800'000);
  EXPECT_EQ(asked_khz(deadline, {100, 100, 6}, "256"), 2'000'000);
  EXPECT_EQ(asked_khz(elsewhere, {100, 100, 1, /*cpu=*/0}, ""), 200'000);
}

}  // namespace
}  // namespace flyball
