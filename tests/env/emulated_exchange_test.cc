#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "kernels/base/doorbell.h"
#include "kernels/base/latest.h"
#include "kernels/base/clock.h"

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
  std::thread ringer([&] { bell.ring(); });
  bell.wait(bell.mark() - 1, monotonic_ns() + 3'600'000'000'000);
  ringer.join();
}

TEST(EmulatedDoorbell, GivesUpAtTheAbsoluteTime) {
  Doorbell bell;
  const std::int64_t until = monotonic_ns() + 20'000'000;
  bell.wait(bell.mark(), until);
  EXPECT_GE(monotonic_ns(), until);
}

}  // namespace
}  // namespace flyball
