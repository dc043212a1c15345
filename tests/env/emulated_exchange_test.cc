#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "env/emulated/executor.h"
#include "kernels/base/clock.h"
#include "kernels/base/doorbell.h"
#include "kernels/base/latest.h"

namespace flyball {
namespace {

TEST(EmulatedLatest, FetchesTheNewestValueOnce) {
  Latest<int> box;
  EXPECT_EQ(box.fetch(), nullptr);
  box.put(1);
  box.put(2);
  ASSERT_NE(box.fetch(), nullptr);
  EXPECT_EQ(box.fetch(), nullptr);
  box.put(3);
  EXPECT_EQ(*box.fetch(), 3);
}

TEST(EmulatedLatest, NeverTearsAValueNorGoesBack) {
  struct Pair {
    int a = 0, b = 0;
  };
  Latest<Pair> box;
  constexpr int kValues = 20'000;
  std::thread writer([&] {
    for (int i = 1; i <= kValues; ++i) box.put({i, -i});
  });
  int last = 0;
  while (last < kValues) {
    const Pair* pair = box.fetch();
    if (pair == nullptr) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(pair->a, -pair->b);
    ASSERT_GT(pair->a, last);
    last = pair->a;
  }
  writer.join();
}

TEST(EmulatedDoorbell, WakesAWaiterAndKeepsARingThatCameBefore) {
  Doorbell bell;
  const std::uint32_t seen = bell.mark();
  bell.ring();
  bell.wait(seen, monotonic_ns() + 3'600'000'000'000);  // returns at once, or the test hangs
  const std::uint32_t rung = bell.mark();
  EXPECT_NE(rung, seen);
  std::thread ringer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // by then it mostly waits
    bell.ring();
  });
  bell.wait(rung, monotonic_ns() + 3'600'000'000'000);
  EXPECT_NE(bell.mark(), rung) << "it came back for the ring, and not for nothing";
  ringer.join();
}

TEST(EmulatedDoorbell, GivesUpAtTheAbsoluteTime) {
  Doorbell bell;
  const std::int64_t until = monotonic_ns() + 20'000'000;
  bell.wait(bell.mark(), until);
  EXPECT_GE(monotonic_ns(), until);
}

TEST(EmulatedCpuSet, IsReadWhole) {
  const CpuSet low{0, 1}, high{64, 65};  // words of their own
  SharedCpuSet shared;
  shared.store(low);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    while (!stop) {
      shared.store(high);
      shared.store(low);
    }
  });
  int torn = 0;
  for (int i = 0; i < 2'000'000; ++i) {
    const CpuSet set = shared.load();
    torn += !(set == low || set == high);
  }
  stop = true;
  writer.join();
  EXPECT_EQ(torn, 0);
}

}  // namespace
}  // namespace flyball
