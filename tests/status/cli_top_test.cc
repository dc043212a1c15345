// `flyball top` on a terminal of its own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/governor/on_terminal.h"
#include "tests/status/governed.h"

namespace flyball::testing {
namespace {

TEST(CliTop, ShowsAMinuteExplainsItsWordsAndQuits) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed;
  governed.first_status();
  OnTerminal top(110, {"top", "--state-dir", governed.state_dir()});
  EXPECT_TRUE(top.shows("[q] quit"));
  EXPECT_TRUE(top.shows("policy4"));
  EXPECT_TRUE(top.shows("clock, of 2000 MHz"));
  EXPECT_TRUE(top.shows("measured (rails A15"));
  top.press('?');
  EXPECT_TRUE(top.shows("instructions per cycle"));
  top.press('q');
  EXPECT_EQ(top.wait(), 0);
  EXPECT_TRUE(top.modes_are_as_before());
}

TEST(CliTop, ASignalLeavesTheTerminalAsItWas) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed;
  governed.first_status();
  OnTerminal top(80, {"top", "--state-dir", governed.state_dir()});
  EXPECT_TRUE(top.shows("[q] quit"));
  top.signal(SIGINT);
  top.wait();
  EXPECT_TRUE(top.modes_are_as_before());
}

}  // namespace
}  // namespace flyball::testing
