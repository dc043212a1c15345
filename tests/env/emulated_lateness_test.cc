#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/emulated/lateness.h"

namespace flyball {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(LatenessNote, ASuspendIsNoOverload) {
  EXPECT_THAT(lateness_note(40'000'000, 0),
              HasSubstr("overloaded: a job was released 40.0 ms late"));
  EXPECT_THAT(lateness_note(40'000'000, 3'200'000'000),
              ::testing::AllOf(HasSubstr("suspended for 3.2 s"), Not(HasSubstr("overloaded"))));
}

}  // namespace
}  // namespace flyball
