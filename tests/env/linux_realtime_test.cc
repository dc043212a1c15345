// Real-time threads are found in a /proc of files, and the clocks kept up for them.

#include <gtest/gtest.h>

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
  // Two sweeps at most: one may be half way.
  const int looks = 2 * threads / RealtimeWatch::kThreadsPerLook + 2;
  for (int i = 0; i < looks; ++i) watch.look(now_ns += RealtimeWatch::kSearchNs);
  EXPECT_EQ(watch.known(), 1);
  show(tree, {209, 339, 0});
  ran(tree, late, 1000);
  for (int i = 0; i < 3; ++i) watch.look(now_ns += kEpochNs);
  EXPECT_EQ(watch.known(), 0);
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
