#include "env/spaces/monitors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "tests/env/monitor_tables.h"
#include "tests/env/round_board.h"

namespace flyball {
namespace {

TEST(Knobs, AreTheFrequenciesMappingsAndLevels) {
  const PlatformSpec spec = round_board();
  const std::vector<KnobSpec> clusters = knobs_of(spec);
  ASSERT_EQ(clusters.size(), 2u);
  EXPECT_EQ(clusters[0].name, "big.freq");
  EXPECT_EQ(clusters[0].unit, "kHz");
  EXPECT_EQ(clusters[1].values, (std::vector<std::string>{"500000", "1000000"}));
  const std::vector<KnobSpec> camera = knobs_of(spec, 1, named("camera"));
  ASSERT_EQ(camera.size(), 2u);
  EXPECT_EQ(camera[0].name, "camera.mapping");
  EXPECT_EQ(camera[0].values.size(), spec.mappings.size());
  EXPECT_EQ(camera[0].values[1], "bigx2");
  EXPECT_EQ(camera[1].name, "camera.level");
  EXPECT_EQ(camera[1].values, (std::vector<std::string>{"50 int8", "50", "100"}));
  Action action;
  action.opp = {1, 0};
  action.app[0] = {3, 1};
  action.app[1] = {5, 2};
  EXPECT_EQ(setting_of(clusters[0], action), 1);
  EXPECT_EQ(setting_of(clusters[1], action), 0);
  EXPECT_EQ(setting_of(camera[0], action), 5);
  EXPECT_EQ(setting_of(camera[1], action), 2);
}

TEST(Monitors, CarryUnitDirectionRangeAndWeight) {
  PlatformSpec spec = round_board();
  TripPoint trip{};
  trip.kind = TripPoint::Kind::kStepDown;
  trip.cluster = kBig;
  trip.temp_c = 70;
  spec.trips = {trip};
  MonitorTable table(spec, RewardWeights{}, {"temp"});
  Requirements required;
  required.deadline_ns = 80 * kMs;
  required.power_budget_mw = 1500;
  required.priority = 2;
  table.bind(0, named("camera"), required);
  const auto row = [&](const char* name) { return *table.find(name); };
  EXPECT_EQ(row("power").unit, "mW");
  EXPECT_EQ(row("power").direction, Monitor::Direction::kLowerIsBetter);
  EXPECT_EQ(row("power").desired_max, 1500);
  EXPECT_EQ(row("power").weight, 1);
  EXPECT_EQ(row("big.temp").desired_max, 65);
  EXPECT_EQ(row("little.temp").desired_max, 80);
  EXPECT_TRUE(row("big.temp").measured);
  EXPECT_FALSE(row("big.power").measured);
  EXPECT_TRUE(row("camera.latency").measured);
  EXPECT_FALSE(row("camera.energy").measured);  // a share of power that is modelled
  EXPECT_FALSE(row("big.cycles").measured);
  EXPECT_EQ(row("camera.latency").desired_max, 80);
  EXPECT_EQ(row("camera.latency").unit, "ms");
  EXPECT_EQ(row("camera.misses").weight, 6);
  EXPECT_EQ(row("camera.shortfall").desired_max, 0);
  EXPECT_EQ(row("camera.shortfall").direction, Monitor::Direction::kLowerIsBetter);
  EXPECT_EQ(row("big.ipc").direction, Monitor::Direction::kHigherIsBetter);
  EXPECT_EQ(row("little.freq").desired_max, 1'000'000);
  EXPECT_EQ(table.find("camera.colour"), nullptr);
}

TEST(Monitors, TheStrictestPowerBudgetIsTheLimit) {
  MonitorTable table = table_of(round_board(), {});
  const auto limit = [&] { return table.find("power")->desired_max; };
  EXPECT_TRUE(std::isinf(limit()));
  table.bind(0, named("a"), {.power_budget_mw = 900});
  table.bind(1, named("b"), {.power_budget_mw = 700});
  table.bind(2, named("c"), {});
  EXPECT_EQ(limit(), 700);
  table.bind(1, named("d"), {});
  EXPECT_EQ(limit(), 900);
  table.unbind(0);
  EXPECT_TRUE(std::isinf(limit())) << "it takes its budget with it";
}

Counters counters_from(double first) {
  return {first, first + 1, first + 2, first + 3, first + 4, first + 5, Counters::kAll, 64};
}

/// Every field another number.
Observation numbered() {
  Observation out;
  out.sequence = 9;
  out.now_ns = 1234;
  out.epoch_ns = 55;
  out.energy_mj = 12.5;
  out.power_mw = 700;
  out.battery_pct = 33;
  out.energy_preference = 0.25;
  out.cluster_count = 2;
  out.sustainable_mw = 350;
  out.app_count = 1;
  out.roster_version = 17;
  out.sensors_ok = false;
  out.held = 4;
  out.jobs_unlisted = 6;
  ClusterObservation& big = out.cluster[kBig];
  big = {2'000'000,          1'500'000, 1024, 0.5, 0.25, 600,      61,
         counters_from(1e6), 1,         2,    3,   -5,   {64, 128}};
  out.sensed = {16, 32};
  AppObservation& app = out.app[0];
  app.generation = 7;
  app.active = true;
  app.required = {41, 42, 38, 43.5, 44.5, 45.5, 46, Objective::kLatency};
  app.setting = {47, 48};
  app.released = 49;
  app.finished = 50;
  app.dropped = 51;
  app.missed = 52;
  app.backlog = 53;
  app.energy_mj = 54.5;
  app.accuracy_shortfall_pct = 55.5;
  app.over_budget_mj = 56.5;
  app.below_floor = 31;
  app.over_budget = 32;
  app.forgiven = 33.5;
  app.accuracy_lost_pct = 34.5;
  app.latency_sum_ns = 35;
  app.undesired = 36.5;
  app.counters = counters_from(2e6);
  app.last_latency_ns = 57 * kMs;
  app.last_execution_ns = 58 * kMs;
  app.last_cycles = 59e3;
  app.last_setting = {60, 61};
  app.running = {true, 62, 63, 64, 65, {66, 67}, CpuSet{67}};
  app.waiting_count = 68;
  for (std::uint32_t i = 0; i < kMaxQueue; ++i) {
    app.waiting[i] = {100 + i, 200 + std::int64_t{i}, 300 + std::int64_t{i}};
  }
  return out;
}

TEST(Monitors, EveryRowReadsWhatTheStructHolds) {
  const PlatformSpec spec = round_board();
  const MonitorTable table = table_of(spec, {"cam"});
  const Observation out = numbered();
  std::map<std::string, double> expected = {{"sequence", 9},
                                            {"now", 1234},
                                            {"epoch", 55},
                                            {"energy", 12.5},
                                            {"power", 700},
                                            {"battery", 33},
                                            {"preference", 0.25},
                                            {"sustainable", 350},
                                            {"clusters", 2},
                                            {"apps", 1},
                                            {"roster", 17},
                                            {"sensors_ok", 0},
                                            {"held", 4},
                                            {"unlisted", 6},
                                            {"sensed_held", 16},
                                            {"sensed_absent", 32},
                                            {"big.sensed_held", 64},
                                            {"big.sensed_absent", 128},
                                            {"big.freq", 2'000'000},
                                            {"big.asked", 1'500'000},
                                            {"big.capacity", 1024},
                                            {"big.util", 50},
                                            {"big.util_mean", 25},
                                            {"big.power", 600},
                                            {"big.temp", 61},
                                            {"big.opp", 1},
                                            {"big.asked_opp", 2},
                                            {"big.opp_cap", 3},
                                            {"big.error", -5},
                                            {"cam.generation", 7},
                                            {"cam.active", 1},
                                            {"cam.latency", 57},
                                            {"cam.misses", 52},
                                            {"cam.shortfall", 55.5},
                                            {"cam.backlog", 53},
                                            {"cam.energy", 54.5},
                                            {"cam.over_budget", 56.5},
                                            {"cam.below_floor", 31},
                                            {"cam.over_budget_jobs", 32},
                                            {"cam.forgiven", 33.5},
                                            {"cam.accuracy_lost", 34.5},
                                            {"cam.latency_sum", 35},
                                            {"cam.undesired", 36.5},
                                            {"cam.released", 49},
                                            {"cam.finished", 50},
                                            {"cam.dropped", 51},
                                            {"cam.execution", 58},
                                            {"cam.job_cycles", 59},
                                            {"cam.last_mapping", 60},
                                            {"cam.last_level", 61},
                                            {"cam.mapping", 47},
                                            {"cam.level", 48},
                                            {"cam.period", 41},
                                            {"cam.deadline", 42},
                                            {"cam.grace", 38},
                                            {"cam.accuracy_floor", 43.5},
                                            {"cam.energy_budget", 44.5},
                                            {"cam.power_budget", 45.5},
                                            {"cam.priority", 46},
                                            {"cam.objective", 2},
                                            {"cam.running", 1},
                                            {"cam.running.sequence", 62},
                                            {"cam.running.release", 63},
                                            {"cam.running.start", 64},
                                            {"cam.running.deadline", 65},
                                            {"cam.running.mapping", 66},
                                            {"cam.running.level", 67},
                                            {"cam.waiting", 68}};
  for (const auto& [prefix, base] : {std::pair{"big.", 1e6}, std::pair{"cam.", 2e6}}) {
    const std::string p = prefix;
    expected[p + "instructions"] = base / 1000;
    expected[p + "cycles"] = (base + 1) / 1000;
    expected[p + "cache_references"] = (base + 2) / 1000;
    expected[p + "cache_misses"] = (base + 3) / 1000;
    expected[p + "stalled_cycles"] = (base + 4) / 1000;
    expected[p + "context_switches"] = base + 5;
    expected[p + "counters_valid"] = 63;
    expected[p + "counters_held"] = 64;
    expected[p + "ipc"] = base / (base + 1);
    expected[p + "misses_per_kilo_instruction"] = 1000 * (base + 3) / base;
    expected[p + "stall_share"] = (base + 4) / (base + 1);
  }
  for (int i = 0; i < kMaxQueue; ++i) {
    const std::string p = "cam.waiting" + std::to_string(i);
    expected[p + ".sequence"] = 100 + i;
    expected[p + ".release"] = 200 + i;
    expected[p + ".deadline"] = 300 + i;
  }
  for (int w = 0; w < CpuSet::kWords; ++w) {
    expected["cam.running.cpus" + std::to_string(w)] = w == 1 ? 8 : 0;  // CPU 67
  }
  std::set<std::string> seen;
  for (const Monitor& row : table.rows()) {
    const Reading reading = read(row, out);
    EXPECT_EQ(reading.stamp_ns, 1234);
    EXPECT_EQ(reading.sequence, 9u);
    EXPECT_TRUE(seen.insert(row.name).second) << row.name << " twice";
    if (row.scope == Monitor::Scope::kCluster && row.index == kLittle) continue;
    ASSERT_TRUE(expected.contains(row.name)) << row.name;
    EXPECT_TRUE(reading.valid) << row.name;
    EXPECT_DOUBLE_EQ(reading.value, expected[row.name]) << row.name;
  }
  for (const auto& [name, value] : expected) EXPECT_TRUE(seen.contains(name)) << name;
}

TEST(Monitors, ACounterThatIsNotThereIsNotZero) {
  const MonitorTable table = table_of(round_board(), {"camera"});
  struct Needs {
    const char* name;
    std::uint8_t bits;
  };
  const Needs all[] = {{"instructions", Counters::kInstructions},
                       {"cycles", Counters::kCycles},
                       {"cache_references", Counters::kReferences},
                       {"cache_misses", Counters::kMisses},
                       {"stalled_cycles", Counters::kStalls},
                       {"context_switches", Counters::kSwitches},
                       {"ipc", Counters::kInstructions | Counters::kCycles},
                       {"misses_per_kilo_instruction", Counters::kMisses | Counters::kInstructions},
                       {"stall_share", Counters::kStalls | Counters::kCycles}};
  Observation out = numbered();
  for (int valid = 0; valid < 64; ++valid) {
    out.cluster[kBig].counters.valid = static_cast<std::uint8_t>(valid);
    out.app[0].counters.valid = static_cast<std::uint8_t>(63 - valid);
    for (const Needs& needs : all) {
      for (const bool of_app : {false, true}) {
        const std::string name = std::string(of_app ? "camera." : "big.") + needs.name;
        const Reading reading = read(*table.find(name), out);
        const int has = of_app ? 63 - valid : valid;
        ASSERT_EQ(reading.valid, (has & needs.bits) == needs.bits) << name << " with " << has;
        ASSERT_EQ(std::isnan(reading.value), !reading.valid) << name;
      }
    }
  }
  // Nothing was counted: there is no ratio.
  out.app[0].counters = {};
  out.app[0].counters.valid = Counters::kAll;
  EXPECT_FALSE(read(*table.find("camera.ipc"), out).valid);
  EXPECT_TRUE(read(*table.find("camera.cycles"), out).valid);
}

TEST(Monitors, AReadingIsOfItsEpochHeldOverOrAbsent) {
  using State = Reading::State;
  const MonitorTable table = table_of(round_board(), {"camera"});
  Observation out = numbered();
  out.sensed = {};
  out.cluster[kBig].sensed = {};
  out.cluster[kBig].counters.held = out.app[0].counters.held = 0;
  const auto state = [&](const std::string& name) { return read(*table.find(name), out).state; };
  for (const Monitor& row : table.rows()) {
    if (row.scope == Monitor::Scope::kCluster && row.index == kLittle) continue;
    EXPECT_EQ(state(row.name), State::kOfEpoch) << row.name;
  }
  out.count_held();
  EXPECT_EQ(out.held, 0u);
  // What is held over is the last value; an application's energy is a share of the platform's.
  out.sensed.mark_held(Sensed::kPower);
  out.cluster[kBig].sensed.mark_held(Sensed::kTemp | Sensed::kClock);
  out.count_held();
  EXPECT_EQ(out.held, 3u);
  for (const char* name : {"power", "energy", "camera.energy", "camera.over_budget", "big.temp",
                           "big.freq", "big.capacity", "big.opp"})
    EXPECT_EQ(state(name), State::kHeld) << name;
  for (const char* name :
       {"battery", "camera.latency", "big.power", "big.util", "big.asked", "big.cycles"})
    EXPECT_EQ(state(name), State::kOfEpoch) << name;
  EXPECT_TRUE(read(*table.find("big.temp"), out).valid);
  EXPECT_EQ(read(*table.find("big.temp"), out).value, 61);
  // Of what is absent there is none, whatever stands in its place.
  out.cluster[kBig].sensed.mark_absent(Sensed::kTemp);
  EXPECT_EQ(state("big.temp"), State::kAbsent);
  EXPECT_FALSE(read(*table.find("big.temp"), out).valid);
  EXPECT_EQ(state("big.freq"), State::kHeld);
  out.count_held();
  EXPECT_EQ(out.held, 2u);
  out.cluster[kBig].sensed.mark_held(Sensed::kTemp);
  EXPECT_EQ(state("big.temp"), State::kHeld);
  // A count that is held over was counted before.
  Counters& counters = out.app[0].counters;
  counters.valid = Counters::kInstructions;
  counters.held = Counters::kCycles;
  EXPECT_EQ(state("camera.instructions"), State::kOfEpoch);
  EXPECT_EQ(state("camera.cycles"), State::kHeld);
  EXPECT_FALSE(read(*table.find("camera.cycles"), out).valid);
  EXPECT_EQ(state("camera.ipc"), State::kHeld);
  EXPECT_EQ(state("camera.cache_misses"), State::kAbsent);
  EXPECT_EQ(state("camera.misses_per_kilo_instruction"), State::kAbsent);
  out.power_mw = std::nan("");
  out.sensed = {};
  EXPECT_EQ(state("power"), State::kAbsent);
}

TEST(Monitors, BindingAddsRowsAndBindingAnewReplacesThem) {
  MonitorTable table = table_of(round_board(), {});
  const std::size_t none = table.rows().size();
  table.bind(0, named("camera"), {});
  const std::size_t one = table.rows().size();
  EXPECT_GT(one, none + 20);
  table.bind(5, named("audio"), {.deadline_ns = 20 * kMs});
  EXPECT_EQ(table.rows().size() - one, one - none);
  for (std::size_t i = 0; i < none; ++i) {
    EXPECT_EQ(table.rows()[i].name, table_of(round_board(), {}).rows()[i].name);
  }
  ASSERT_NE(table.find("camera.latency"), nullptr);
  table.bind(0, named("door"), {.deadline_ns = 70 * kMs});
  EXPECT_EQ(table.rows().size(), one + one - none);
  EXPECT_EQ(table.find("camera.latency"), nullptr);
  EXPECT_EQ(table.find("door.latency")->desired_max, 70);
  EXPECT_EQ(table.find("audio.latency")->desired_max, 20);
  EXPECT_EQ(table.find("audio.latency")->index, 5);
  Observation out;
  out.app[0].last_latency_ns = 3 * kMs;
  out.app[5].last_latency_ns = 4 * kMs;
  EXPECT_EQ(read(*table.find("door.latency"), out).value, 3);
  EXPECT_EQ(read(*table.find("audio.latency"), out).value, 4);
}

}  // namespace
}  // namespace flyball
