#include "agents/explain.h"

#include <gtest/gtest.h>

#include "tests/agents/tiny_platform.h"

namespace flyball {
namespace {

using Code = Reason::Code;

/// The tiny platform's camera on two big cores at 1500 MHz, 75 % wide.
std::string text(Code code, std::array<float, 3> number, std::uint8_t index = 0,
                 const std::string& app = "camera") {
  const TinyWorld world;
  Decision decision;
  decision.action.opp = {2, 1};
  decision.action.app[0] = {1, 2};
  decision.reason = {code, index, number};
  Binding binding = world.binding(0);
  binding.name = app;
  return explain(decision, world.platform, binding);
}

TEST(Explain, ALinePerCodeWithItsNumbers) {
  EXPECT_EQ(text(Code::kNone, {}), "");
  EXPECT_EQ(text(Code::kIdle, {}), "no job: lowest clocks");
  EXPECT_EQ(text(Code::kChosen, {20, 0.8f, 68}),
            "camera: slack 20 %, demand 0.80 -> bigx2 at 1500 MHz, width 75 (floor 68)");
  EXPECT_EQ(
      text(Code::kExplored, {20, 0.8f, 62.5f}),
      "camera: exploring: slack 20 %, demand 0.80 -> bigx2 at 1500 MHz, width 75 (floor 62.5)");
  EXPECT_EQ(text(Code::kRunning, {}), "camera: running: bigx2 at 1500 MHz, width 75");
  EXPECT_EQ(text(Code::kHurry, {}),
            "camera: hurry, the job runs long: bigx2 at 1500 MHz, width 75");
  EXPECT_EQ(text(Code::kUtil, {87}, 0), "big busy 87 % -> 1500 MHz");
  EXPECT_EQ(text(Code::kUtil, {12}, 1), "little busy 12 % -> 1000 MHz");
  EXPECT_EQ(text(Code::kTable, {12.34f, 3}),
            "camera: table says bigx2 at 1500 MHz, width 75 in 12.3 ms, 3 steps above");
  EXPECT_EQ(text(Code::kMean, {20, 33.3f, 40}),
            "camera: mean of 20 jobs 33.3 ms, limit 40.0 -> bigx2 at 1500 MHz, width 75");
  EXPECT_EQ(text(Code::kWorkload, {10.5f, 17, 0}),
            "10.5 Mcycles a job -> bigx2 at 1500 MHz, width 75, decision 17");
  EXPECT_EQ(text(Code::kWorkload, {10.5f, 17, 1}),
            "exploring: 10.5 Mcycles a job -> bigx2 at 1500 MHz, width 75, decision 17");
  EXPECT_EQ(text(Code::kFixed, {}), "fixed");
  EXPECT_EQ(text(Code::kSearched, {640, 1, 12.5f}),
            "camera: cheapest of 640 tried: bigx2 at 1500 MHz, width 75, 12.5 mJ");
  EXPECT_EQ(text(Code::kSearched, {640, 0, 55}),
            "camera: late, fastest of 640 tried: bigx2 at 1500 MHz, width 75, 55.0 ms");
}

TEST(Explain, SaysWhatItKnowsOfAnApplicationThatHasLeft) {
  EXPECT_EQ(text(Code::kRunning, {}, 0, ""), "running: bigx2 at 1500 MHz, width 75");
  const TinyWorld world;
  Decision decision;
  decision.reason = {Code::kRunning, 0, {}};
  EXPECT_EQ(explain(decision, world.platform, {}), "running: bigx1 at 500 MHz");
}

TEST(Explain, NamesThePrecision) {
  const TinyWorld world;
  Decision decision;
  decision.action.app[0] = {0, 0};
  decision.reason = {Code::kRunning, 0, {}};
  EXPECT_EQ(explain(decision, world.platform,
                    with_widths("a", "cnn", {{.width_pct = 50, .int8 = true}, {}})),
            "a: running: bigx1 at 500 MHz, width 50 int8");
}

// What a recording holds may be of another platform: it may read oddly, but never out of bounds.
TEST(Explain, IndicesOutOfRangeAreHarmless) {
  const TinyWorld world;
  Decision decision;
  decision.action.opp.fill(255);
  decision.action.app[63] = {255, 255};
  for (int code = 0; code <= static_cast<int>(Code::kSearched); ++code) {
    decision.reason = {static_cast<Code>(code), 63, {}};
    EXPECT_EQ(explain(decision, world.platform, world.binding(0)).find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace flyball
