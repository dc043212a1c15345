#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "env/linux/perf_counter_source.h"
#include "tests/env/counter_kernel.h"

namespace flyball {
namespace {

namespace fs = std::filesystem;
using counter_test::ScriptedKernel;
using Event = ScriptedKernel::Event;
using enum CounterField;

constexpr std::uint64_t kMs = 1'000'000;

/// A sysfs of its own.
struct PerfUnits : testing::Test {
  PerfUnits()
      : root(fs::temp_directory_path() /
             ("flyball-pmu-" + std::to_string(getpid()) + "-" +
              testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::create_directories(devices());
  }
  ~PerfUnits() override { fs::remove_all(root); }
  fs::path devices() const { return root / "bus/event_source/devices"; }
  void put(const std::string& file, const std::string& text) const {
    fs::create_directories((devices() / file).parent_path());
    std::ofstream(devices() / file) << text;
  }
  void unit(const std::string& name, const std::string& type, const std::string& cpus) const {
    put(name + "/type", type);
    put(name + "/cpus", cpus);
  }
  void big_little() const {
    unit("armv7_cortex_a7", "8\n", "0-3\n");
    unit("armv7_cortex_a15", "9\n", "4-7\n");
  }
  std::vector<PerfPmu> found() const { return find_perf_pmus(root.string()); }

  fs::path root;
  ScriptedKernel kernel;
};

TEST_F(PerfUnits, AreOneGenericUnitWithoutFiles) {
  put("software/type", "1\n");
  put("uncore_imc/cpumask", "0\n");
  put("uncore_imc/type", "12\n");
  put("cpu/type", "4\n");
  ASSERT_EQ(found().size(), 1U);
  EXPECT_TRUE(found()[0].covers(1000));
  EXPECT_EQ(perf_encoding(found()[0], kCacheMisses)->type, std::uint32_t{PERF_TYPE_HARDWARE});
  EXPECT_EQ(perf_encoding(found()[0], kCacheMisses)->config,
            std::uint64_t{PERF_COUNT_HW_CACHE_MISSES});
  EXPECT_STREQ(perf_cache_level(found()[0]), "LLC");
  put("cpu/format/event", "config:0-7,32-35\n");  // AMD
  EXPECT_STREQ(perf_cache_level(found()[0]), "L2");
}

TEST_F(PerfUnits, OfHybridX86CountGenericEventsEachOnItsOwnCores) {
  unit("cpu_core", "4\n", "0-7\n");
  unit("cpu_atom", "10\n", "8-15\n");
  ASSERT_EQ(found().size(), 2U);
  EXPECT_EQ(perf_encoding(found()[0], kInstructions)->config,
            (std::uint64_t{10} << 32) | PERF_COUNT_HW_INSTRUCTIONS);
  auto source = PerfCounterSource::of_cpus({3, 9}, {kernel, root.string(), "/nowhere"});
  for (const Event& event : kernel.events) {
    if (event.attr.type != PERF_TYPE_HARDWARE) continue;
    EXPECT_EQ(event.attr.config >> 32, event.cpu == 3 ? 4U : 10U);
  }
}

TEST_F(PerfUnits, OfArmCountTheRefillsOfL2ByNumber) {
  big_little();
  PerfCounterSource::of_cpus({4}, {kernel, root.string(), "/nowhere"});
  bool refill = false;
  for (const Event& event : kernel.events) {
    if (event.attr.type == PERF_TYPE_SOFTWARE) continue;
    EXPECT_EQ(event.attr.type, 9U);
    refill |= event.attr.config == 0x17;
  }
  EXPECT_TRUE(refill);
  EXPECT_STREQ(perf_cache_level(found()[0]), "L2");
}

TEST_F(PerfUnits, ThatAreMalformedArePassedOver) {
  unit("cpu_type", "-3\n", "0-3\n");
  unit("cpu_huge", "99999999999999999999\n", "0-3\n");
  unit("cpu_text", "8 apples\n", "0-3\n");
  unit("cpu_list", "8\n", "0-,;\n");
  unit("cpu_none", "8\n", "\n");
  unit("cpu_far", "8\n", "0-99999999\n");
  unit("cpu\n\x1b[2Jred", "8\n", "0-3\n");
  unit(std::string(100, 'x'), "8\n", "0-3\n");
  ASSERT_EQ(found().size(), 1U);
  EXPECT_EQ(found()[0].name, "cpu");
  for (int i = 0; i < 3 * kMaxPmus; ++i) unit("cpu_" + std::to_string(i), "8\n", "0\n");
  EXPECT_EQ(found().size(), static_cast<std::size_t>(kMaxPmus));
}

TEST_F(PerfUnits, AThreadThatMigratesIsCountedOnce) {
  big_little();
  auto source = PerfCounterSource::of_threads({7}, {kernel, root.string(), "/nowhere"});
  CounterSample s;
  // 3 of 4 ms on the A15; the time that an event is enabled goes on wherever the thread is.
  kernel.count(9, 0x08, 3000, 4 * kMs, 3 * kMs);
  kernel.count(8, 0x08, 500, 4 * kMs, 1 * kMs);
  source.read(s);
  EXPECT_DOUBLE_EQ(s.instructions, 3500);
  // Both shared their counters with others for half of the time.
  kernel.count(9, 0x08, 1000, 4 * kMs, 1 * kMs);
  kernel.count(8, 0x08, 100, 4 * kMs, 1 * kMs);
  source.read(s);
  EXPECT_DOUBLE_EQ(s.instructions, 2200);
}

TEST_F(PerfUnits, WhatOneUnitCannotCountIsNotCountedForThreads) {
  big_little();
  kernel.refuse = [](const Event& event) {
    return event.attr.type == 9 && event.attr.config == 0x24 ? ENOENT : 0;  // the A15 has no stalls
  };
  auto both = PerfCounterSource::of_threads({7}, {kernel, root.string(), "/nowhere"});
  EXPECT_EQ(both.measured() & counter_bit(kStalledCycles), 0);
  auto small = PerfCounterSource::of_cpus({0, 1}, {kernel, root.string(), "/nowhere"});
  EXPECT_NE(small.measured() & counter_bit(kStalledCycles), 0);
}

TEST_F(PerfUnits, OfAnIdleClusterAreNotJudgedByABusyOne) {
  big_little();
  auto source = PerfCounterSource::of_cpus({0, 4}, {kernel, root.string(), "/nowhere"});
  CounterSample s;
  for (int i = 0; i < 3 * PerfEvents::kPatience; ++i) {
    for (Event& event : kernel.events) {
      if (!event.open) continue;
      event.enabled += 50 * kMs;
      event.running += 50 * kMs;
      if (event.attr.type == 9) event.value += 10'000'000;
    }
    source.read(s);
    EXPECT_FALSE(s.is_valid(kCacheMisses));
  }
  EXPECT_NE(source.measured() & counter_bit(kCacheMisses), 0);
}

}  // namespace
}  // namespace flyball
