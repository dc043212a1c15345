#include "env/linux/counter_figures.h"

#include <gtest/gtest.h>

#include <cmath>

#include "env/linux/counter_scripted.h"

namespace flyball {
namespace {

using enum CounterField;

CounterSample sample(double instructions, double cycles) {
  CounterSample s;
  s.set(kInstructions, instructions);
  s.set(kCycles, cycles);
  return s;
}

TEST(CounterFigures, AreRatiosOfWhatWasCounted) {
  CounterSample s = sample(3e6, 2e6);
  s.set(kCacheMisses, 6000);
  s.set(kStalledCycles, 5e5);
  s.set(kCpuTime, 1e6);
  EXPECT_DOUBLE_EQ(*ipc(s), 1.5);
  EXPECT_DOUBLE_EQ(*misses_per_kilo_instruction(s), 2);
  EXPECT_DOUBLE_EQ(*stall_share(s), 0.25);
  EXPECT_DOUBLE_EQ(*delivered_khz(s), 2e6);  // 2 cycles per ns
  s.set(kStalledCycles, 2.1e6);
  EXPECT_DOUBLE_EQ(*stall_share(s), 1);
}

TEST(CounterFigures, AreAbsentWithoutBothParts) {
  CounterSample s;
  s.set(kInstructions, 1e6);
  EXPECT_FALSE(ipc(s));
  EXPECT_FALSE(misses_per_kilo_instruction(s));
  EXPECT_FALSE(stall_share(s));
  EXPECT_FALSE(delivered_khz(s));
  EXPECT_FALSE(ipc(sample(0, 0)));  // nothing ran
}

TEST(CounterFigures, NeverMixTwoStretchesOfTime) {
  CounterSample s = sample(3e6, 2e6);
  s.held = counter_bit(kCycles);
  EXPECT_FALSE(ipc(s));
  s.held |= counter_bit(kInstructions);
  EXPECT_DOUBLE_EQ(*ipc(s), 1.5);
}

TEST(CounterSample, WhatIsNotValidIsNotANumber) {
  const CounterSample s;
  for (int i = 0; i < kCounterFields; ++i) {
    EXPECT_TRUE(std::isnan(s.at(static_cast<CounterField>(i))));
    EXPECT_FALSE(s.is_valid(static_cast<CounterField>(i)));
  }
}

TEST(ScriptedCounterSource, HoldsMarksAndCountsAFailedReading) {
  ScriptedCounterSource source({sample(10, 5), std::nullopt, sample(20, 8)});
  CounterSample s;
  EXPECT_TRUE(source.read(s));
  EXPECT_EQ(s.held, 0);
  EXPECT_FALSE(source.read(s));
  EXPECT_EQ(s.held, s.valid);
  EXPECT_DOUBLE_EQ(s.instructions, 10);
  EXPECT_TRUE(std::isnan(s.cache_misses));
  EXPECT_TRUE(source.read(s));
  EXPECT_EQ(s.held, 0);
  EXPECT_DOUBLE_EQ(s.instructions, 20);
  EXPECT_EQ(source.tally().reads, 3U);
  EXPECT_EQ(source.tally().failed, 1U);
  EXPECT_EQ(source.tally().held, 2U);
  EXPECT_EQ(source.tally().invalid, 0U);
}

TEST(ScriptedCounterSource, HoldsForALimitedTimeOnly) {
  ScriptedCounterSource source({sample(10, 5)});
  CounterSample s;
  source.read(s);
  for (int i = 0; i < CounterHold::kMaxHolds; ++i) source.read(s);
  EXPECT_TRUE(s.is_held(kInstructions));
  source.read(s);
  EXPECT_EQ(s.valid, 0);
  EXPECT_TRUE(std::isnan(s.instructions));
  EXPECT_EQ(source.tally().invalid, 2U);
}

TEST(ScriptedCounterSource, NamesTheCacheLevelWhileACacheFigureIsValid) {
  CounterSample misses = sample(10, 5);
  misses.set(kCacheMisses, 1);
  misses.cache_level = "L2";
  ScriptedCounterSource source({misses, std::nullopt, sample(1, 1)});
  CounterSample s;
  source.read(s);
  source.read(s);
  EXPECT_STREQ(s.cache_level, "L2");
  for (int i = 0; i < CounterHold::kMaxHolds; ++i) source.read(s);
  EXPECT_EQ(s.cache_level, nullptr);
}

}  // namespace
}  // namespace flyball
