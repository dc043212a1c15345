#include "governor/report/ticks.h"

#include <gtest/gtest.h>

#include <cmath>

namespace flyball::report {
namespace {

TEST(Ticks, AreRoundNumbersWithinTheRange) {
  const std::vector<Tick> all = ticks(Axis{"time", "s"}, 0, 1, 5);
  ASSERT_EQ(all.size(), 6u);
  EXPECT_DOUBLE_EQ(all[1].value, 0.2);
  EXPECT_EQ(all[5].text, "1");
}

// Two figures that differ in the last bit, and those at the end of what numbers reach.
TEST(Ticks, AreFewWhateverTheRange) {
  const double one = 12.345678901234567;
  EXPECT_LE(ticks(Axis{"energy", "mJ"}, one, std::nextafter(one, 13), 5).size(), 13u);
  Axis log{"time", "ms"};
  log.log = true;
  EXPECT_LE(ticks(log, 1e-300, INFINITY, 5).size(), 2200u);
}

}  // namespace
}  // namespace flyball::report
