#include "env/model/platform_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "env/model/network_levels.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A whole platform in few lines; the tests below break one line each.
constexpr const char* kGood = R"(schema: 1
name: tiny
description: A test
board_mw: 10
migration_us: 1
cold_cache_ms: 0
clusters:
  big:
    kind: cpu
    cores: 2
    capacity_per_mhz: 1024
    transition_latency_us: 100
    uncore_nf: 0.1
    idle_core_nf: 0.1
    leakage: {a_w_per_v_k2: 0.001, b_k: 2660, c_a: 0, core_share: 0.5}
    opps:
      - {mhz: 500, mv: 900}
      - {mhz: 1000, mv: 1000}
  gpu:
    kind: gpu
    cores: 1
    capacity_per_mhz: 5000
    transition_latency_us: 100
    uncore_nf: 0.1
    idle_core_nf: 0
    leakage: {a_w_per_v_k2: 0.001, b_k: 2660, c_a: 0, core_share: 0.5}
    opps: [{mhz: 100.5, mv: 800}]
mappings: mixed
apps:
  net:
    kind: network
    parallel_fraction: 0.9
    widths:
      - {width_pct: 50, time_factor: 0.5, activity_factor: 1, accuracy_pct: 60, accuracy_source: test}
      - {width_pct: 100, time_factor: 1, activity_factor: 1, accuracy_pct: 70, accuracy_source: test}
    units:
      big: {mcycles: 10, core_nf: 0.5}
      gpu: {mcycles: 1, core_nf: 1}
thermal:
  die:
    cluster: big
    offset_c: 5
    terms: [{r_k_per_w: 5, tau_s: 2}]
trips:
  - {cluster: big, sensor: die, temp_c: 80, hysteresis_c: 5, action: cap, cap_mhz: 500}
)";

class PlatformFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "flyball-platform-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { fs::remove_all(dir_); }

  PlatformSpec load(const std::string& text) {
    const std::string path = (dir_ / "p.yaml").string();
    std::ofstream(path) << text;
    return load_platform(path);
  }
  /// kGood with the first `from` replaced by `to`.
  static std::string with(const std::string& from, const std::string& to) {
    std::string text = kGood;
    return text.replace(text.find(from), from.size(), to);
  }
  /// The complaint about kGood with the first `from` replaced by `to`, after the path of the file.
  std::string refusal(const std::string& from, const std::string& to) {
    std::string text = kGood;
    const std::size_t at = text.find(from);
    if (at == std::string::npos) return "'" + from + "' is not in the file";
    text.replace(at, from.size(), to);
    try {
      load(text);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Error::Kind::kInput);
      const std::string message = e.what();
      EXPECT_EQ(message.find('\n'), std::string::npos);
      EXPECT_EQ(message.find(dir_.string()), 0u) << message;
      return message.substr(dir_.string().size() + 1);
    }
    return "nothing was refused";
  }

  fs::path dir_;
};

TEST_F(PlatformFileTest, ReadsEveryField) {
  const PlatformSpec spec = load(kGood);
  EXPECT_EQ(spec.name, "tiny");
  EXPECT_FALSE(spec.emulated);
  ASSERT_EQ(spec.clusters.size(), 2u);
  EXPECT_EQ(spec.clusters[1].kind, ClusterSpec::Kind::kGpu);
  EXPECT_EQ(spec.clusters[1].opps[0].freq_khz, 100'500);
  EXPECT_EQ(spec.clusters[0].max_opp(), 1);
  EXPECT_DOUBLE_EQ(spec.clusters[0].leak_core_share, 0.5);
  EXPECT_EQ(spec.find_cluster("gpu"), 1);
  EXPECT_EQ(spec.find_cluster("npu"), -1);
  EXPECT_EQ(spec.find_app("net"), 0);
  EXPECT_EQ(spec.find_app("nte"), -1);
  EXPECT_EQ(spec.big_cluster(), 0);  // the only CPU, slower as it is than the GPU
  EXPECT_DOUBLE_EQ(spec.apps[0].unit[1].core_nf, 1);
  EXPECT_EQ(spec.trips[0].cap_khz, 500'000);
  EXPECT_DOUBLE_EQ(spec.trip_poll_ms, 250);
  EXPECT_FALSE(spec.time_spread.has_value()) << "nobody says how sure that is";
}

TEST_F(PlatformFileTest, SaysHowSureItIs) {
  const PlatformSpec spec =
      load(with("board_mw: 10", "board_mw: 10\nspread: {time: 0.05, power: 0.3}"));
  EXPECT_EQ(spec.time_spread, 0.05);
  EXPECT_EQ(spec.power_spread, 0.3);
  const PlatformSpec half = load(with("board_mw: 10", "board_mw: 10\nspread: {power: 0.3}"));
  EXPECT_FALSE(half.time_spread.has_value());
  EXPECT_NE(half.content_hash, load(kGood).content_hash) << "who is less sure decides otherwise";
  EXPECT_EQ(refusal("board_mw: 10", "board_mw: 10\nspread: {time: 0}"),
            "p.yaml:5: key 'time': 0 is out of range; give a number from 0.001 to 1");
  EXPECT_EQ(refusal("board_mw: 10", "board_mw: 10\nspread: {watts: 1}"),
            "p.yaml:5: key 'watts': is unknown; known keys here are time, power");
}

TEST_F(PlatformFileTest, GpusNeverShareAJobWithCpus) {
  std::vector<std::string> names;
  for (const Mapping& mapping : load(kGood).mappings) names.push_back(mapping.name);
  EXPECT_THAT(names, ::testing::ElementsAre("bigx1", "bigx2", "gpux1"));
}

TEST_F(PlatformFileTest, BadValuesAreRefusedAtTheirLine) {
  EXPECT_EQ(refusal("board_mw: 10", "board_mv: 10"),
            "p.yaml:4: key 'board_mv': is unknown (did you mean 'board_mw'?); known keys here are "
            "name, description, emulated, board_mw, migration_us, cold_cache_ms, level_switch_us, "
            "decision_latency_us, spread, clusters, mappings, apps, thermal, trip_poll_ms, trips");
  EXPECT_EQ(
      refusal("name: tiny", "name: ti ny"),
      "p.yaml:2: key 'name': the name is not plain; use up to 32 letters, digits, '_' and '-'");
  EXPECT_EQ(refusal("{mhz: 1000, mv: 1000}", "{mhz: 500, mv: 1000}"),
            "p.yaml:18: key 'mhz': is not above that of the operating point before it; "
            "sort the list by ascending frequency");
  EXPECT_EQ(refusal("mv: 1000", "mv: 899"),
            "p.yaml:18: key 'mv': falls while the frequency rises; check the voltages");
  // Measured times and powers are told by the name of the highest clock.
  EXPECT_EQ(refusal("{mhz: 1000, mv: 1000}", "{mhz: 1000, mv: 1000, delivered_share: 0.9}"),
            "p.yaml:18: key 'delivered_share': the highest operating point delivers less than its "
            "name; give its mhz as what it delivers");
  EXPECT_EQ(refusal("cores: 2", "cores: 0"),
            "p.yaml:10: key 'cores': 0 is out of range; give a whole number from 1 to 255");
  EXPECT_EQ(refusal("cores: 1", "cores: 2"),
            "p.yaml:21: key 'cores': a GPU is taken as a whole; set it to 1");
  EXPECT_EQ(refusal("core_share: 0.5", "core_share: 1.5"),
            "p.yaml:15: key 'core_share': 1.5 is out of range; give a number from 0 to 1");
  EXPECT_EQ(refusal("kind: network", "kind: netwrok"),
            "p.yaml:31: key 'kind': 'netwrok' is not one of its values (did you mean 'network'?); "
            "choose one of network, plain_load");
  EXPECT_EQ(refusal("opps: [{mhz: 100.5, mv: 800}]", "opps: []"),
            "p.yaml:27: key 'opps': is empty; give at least one entry");
}

TEST_F(PlatformFileTest, TooManyAreRefused) {
  std::string opps = "opps: [";
  for (int o = 0; o < 65; ++o) {
    opps += "{mhz: " + std::to_string(100 + o) + ", mv: 800}, ";
  }
  EXPECT_EQ(refusal("opps: [{mhz: 100.5, mv: 800}]", opps + "]"),
            "p.yaml:27: key 'opps': has 65 entries; keep at most 64");
  std::string terms = "terms: [";
  for (int t = 0; t < 5; ++t) terms += "{r_k_per_w: 1, tau_s: 1}, ";
  EXPECT_EQ(refusal("terms: [{r_k_per_w: 5, tau_s: 2}]", terms + "]"),
            "p.yaml:43: key 'terms': has 5 entries; keep at most 4");
}

// 9 x 9 - 1 combinations of two clusters of eight; of two of 64 cores some are left out.
TEST_F(PlatformFileTest, ManyCoresAreNotTooMany) {
  std::string text = kGood;
  const std::size_t begin = text.find("  gpu:\n");
  text.replace(begin, 7, "  two:\n");
  text.replace(text.find("kind: gpu"), 9, "kind: cpu");
  text.replace(text.find("cores: 1"), 8, "cores: 8");
  text.replace(text.find("cores: 2"), 8, "cores: 8");
  text.replace(text.find("      gpu: {mcyc"), 9, "      two");
  EXPECT_EQ(load(text).mappings.size(), 80u);
  for (const char* cores : {"cores: 64", "cores: 64"})
    text.replace(text.find("cores: 8"), 8, cores);
  const PlatformSpec many = load(text);
  EXPECT_LE(many.mappings.size(), static_cast<std::size_t>(kMaxMappings));
  EXPECT_GE(many.find_mapping(0, 1), 0);
  EXPECT_GE(many.find_mapping(1, 64), 0);
}

TEST_F(PlatformFileTest, WidthsMustAscendToFullWidth) {
  EXPECT_EQ(refusal("width_pct: 50", "width_pct: 100"),
            "p.yaml:34: key 'time_factor': is relative to full width, which this is; set it to 1");
  EXPECT_EQ(refusal("width_pct: 100", "width_pct: 50"),
            "p.yaml:35: key 'width_pct': is not above that of the width before it; "
            "sort the list by ascending width, int8 before fp32");
  EXPECT_EQ(refusal("width_pct: 100", "width_pct: 90"),
            "p.yaml:35: key 'width_pct': is the widest, but is not 100; add full width");
}

TEST_F(PlatformFileTest, AWidthMayComeInInt8BeforeFp32) {
  const std::string half = "      - {width_pct: 50, time_factor: 0.5, ";
  const std::string full = "      - {width_pct: 100, time_factor: 1, ";
  const std::string rest = "activity_factor: 1, accuracy_pct: 59, accuracy_source: test}\n";
  const std::string int8_half =
      "      - {width_pct: 50, precision: int8, time_factor: 0.3, " + rest;
  const std::string int8_full =
      "      - {width_pct: 100, precision: int8, time_factor: 1.5, " + rest;
  const auto loaded = [&](const std::string& from, const std::string& to) {
    std::string text = kGood;
    return load(text.replace(text.find(from), from.size(), to));
  };
  const PlatformSpec spec = loaded(half, int8_half + half);
  ASSERT_EQ(spec.apps[0].levels.size(), 3u);
  EXPECT_TRUE(network_level(spec.apps[0], 0).int8);
  EXPECT_FALSE(network_level(spec.apps[0], 1).int8);
  EXPECT_FALSE(network_level(spec.apps[0], 2).int8);
  EXPECT_DOUBLE_EQ(loaded(full, int8_full + full).apps[0].levels[1].time_factor, 1.5);
  EXPECT_EQ(
      refusal(half, half.substr(0, 6) + "- {width_pct: 50, precision: fp16, time_factor: 0.5, ")
          .substr(0, 32),
      "p.yaml:34: key 'precision': 'fp1");
  EXPECT_EQ(refusal(full, int8_half + full),
            "p.yaml:35: key 'width_pct': is not above that of the width before it; "
            "sort the list by ascending width, int8 before fp32");
  EXPECT_EQ(refusal(full, "      - {width_pct: 100, precision: int8, time_factor: 1, "),
            "p.yaml:35: key 'precision': full width is there in int8 only; add it in fp32, last");
}

TEST_F(PlatformFileTest, AccuraciesAreTheModelsOrTheFiles) {
  EXPECT_EQ(refusal("    kind: network\n", "    kind: network\n    model: cnn\n"),
            "p.yaml:35: key 'accuracy_pct': the application has a 'model', whose file says it; "
            "remove one of them");
  EXPECT_EQ(refusal("accuracy_pct: 60, ", ""), "p.yaml:34: key 'accuracy_pct': is missing; add it");
}

TEST_F(PlatformFileTest, WhatIsMissingOrUnconnectedIsRefused) {
  EXPECT_EQ(refusal("      gpu: {mcycles: 1, core_nf: 1}\n", ""),
            "p.yaml:36: key 'units': says nothing about cluster 'gpu'; add its profile");
  EXPECT_EQ(refusal("      big: {mcycles", "      bgi: {mcycles"),
            "p.yaml:37: unit 'bgi' is no cluster of this platform (did you mean 'big'?); "
            "its clusters are big, gpu");
  EXPECT_EQ(refusal("sensor: die", "sensor: dye"),
            "p.yaml:45: key 'sensor': 'dye' is no thermal node (did you mean 'die'?); "
            "its thermal nodes are die");
  EXPECT_EQ(refusal("cap_mhz: 500", "cap_mhz: 499"),
            "p.yaml:45: key 'cap_mhz': is below the lowest operating point of the cluster; "
            "give 500 or more");
  EXPECT_EQ(refusal("action: cap, cap_mhz: 500", "action: step_down"),
            "p.yaml:45: key 'steps': is missing; add it");
  EXPECT_EQ(refusal("r_k_per_w: 5", "r_k_per_w: -5"),
            "p.yaml:43: key 'terms': sum to -5 K/W: more power would cool; "
            "let the resistances sum to 0 or more");
  const std::string good = kGood;
  const std::size_t apps = good.find("apps:\n");
  const std::size_t thermal = good.find("thermal:\n");
  EXPECT_EQ(refusal(good.substr(apps, thermal - apps), "apps: {}\n"),
            "p.yaml:29: key 'apps': is empty; give at least one entry");
  EXPECT_EQ(refusal(good.substr(apps, thermal - apps), ""),
            "p.yaml:1: key 'apps': is missing; add it");
  EXPECT_EQ(refusal(good.substr(thermal, good.find("trips:\n") - thermal), ""),
            "p.yaml:1: key 'thermal': is missing; add it");
}

TEST_F(PlatformFileTest, AKeyThatTheChosenKindIgnoresIsRefused) {
  EXPECT_EQ(refusal("cores: 2", "max_cores: 3\n    cores: 2"),
            "p.yaml:10: key 'max_cores': it bounds 'cores: auto', and 'cores' is a number; "
            "remove it");
  EXPECT_EQ(refusal("cap_mhz: 500", "cap_mhz: 500, steps: 2"),
            "p.yaml:45: key 'steps': they belong to 'action: step_down'; remove it");
  EXPECT_EQ(refusal("action: cap", "action: step_down, steps: 1"),
            "p.yaml:45: key 'cap_mhz': it belongs to 'action: cap'; remove it");
  EXPECT_THAT(refusal("action: cap", "action: critical"), HasSubstr("key 'cap_mhz': 'critical'"));
  const auto load = [&](const std::string& line) {
    return refusal("thermal:\n", "  burn:\n    kind: plain_load\n" + line + "thermal:\n");
  };
  const std::string units = "    units: {big: {core_nf: 0.5";
  EXPECT_EQ(load(units + "}}\n"), "nothing was refused");
  EXPECT_EQ(load(units + "}}\n    parallel_fraction: 0.5\n"),
            "p.yaml:42: key 'parallel_fraction': a plain load has none; remove it");
  EXPECT_THAT(load(units + ", mcycles: 5}}\n"), HasSubstr("p.yaml:41: key 'mcycles': a plain"));
  EXPECT_THAT(load(units + ", memory_ms: 5}}\n"), HasSubstr("p.yaml:41: key 'memory_ms': a"));
}

TEST_F(PlatformFileTest, AModelsPathIsRelativeToTheFile) {
  const auto model = [&](const std::string& given) {
    std::string text = kGood;
    for (const char* accuracy : {", accuracy_pct: 60, accuracy_source: test",
                                 ", accuracy_pct: 70, accuracy_source: test"}) {
      text.erase(text.find(accuracy), std::string(accuracy).size());
    }
    text.insert(text.find("    parallel_fraction"), "    model: " + given + "\n");
    return load(text).apps[0].model;
  };
  EXPECT_EQ(model("m.flynet"), (dir_ / "m.flynet").string());
  EXPECT_EQ(model("nets/m.flynet"), (dir_ / "nets/m.flynet").string());
  EXPECT_EQ(model("dynamic_cnn"), "dynamic_cnn");
}

TEST_F(PlatformFileTest, ABoardWhoseLeakageRunsAwayIsNamedWithItsCause) {
  EXPECT_THAT(load(kGood).warnings, ::testing::IsEmpty());
  // 10 W/(V K^2) at 298 K, 0.9 V is 800 kW with nothing to do.
  EXPECT_EQ(
      refusal("a_w_per_v_k2: 0.001, b_k: 2660", "a_w_per_v_k2: 10, b_k: 0"),
      "p.yaml:15: key 'leakage': cluster 'big' runs away: with nothing to do, at 500 MHz, its "
      "leakage warms the board beyond 150 C; check it, and the terms under 'thermal'");
  EXPECT_THAT(refusal("board_mw: 10", "board_mw: 100000"),
              HasSubstr("key 'thermal': the board gets hotter than 150 C with nothing to do, even "
                        "without leakage"));
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = kGood;
    text.replace(text.find(from), from.size(), to);
    return load(text).warnings;
  };
  // Both cores at 1000 MHz: 1 nF * 1 V^2 * 1 GHz = 1 W, capped to 500 MHz at 80 C. At 10 nF each,
  // 0.81 * 0.5 * 20 = 8 W and 5 K/W are 40 K: warm. At 100 nF, 400 K: too hot.
  EXPECT_THAT(changed("big: {mcycles: 10, core_nf: 0.5}", "big: {mcycles: 10, core_nf: 10}"),
              ::testing::IsEmpty());
  const std::vector<std::string> hot =
      changed("big: {mcycles: 10, core_nf: 0.5}", "big: {mcycles: 10, core_nf: 100}");
  ASSERT_EQ(hot.size(), 1u);
  EXPECT_THAT(hot[0], HasSubstr("Cluster 'big' runs away: with 'net' on all its cores at 500 MHz"));
  EXPECT_THAT(hot[0], HasSubstr("from the power of the work alone"));
}

TEST(Platforms, NoShippedOneRunsAway) {
  for (const char* name : {"host", "odroid_xu3", "jetson_nano"}) {
    EXPECT_THAT(load_platform(name).warnings, ::testing::IsEmpty()) << name;
  }
}

TEST(Platforms, TheOdroidHasEveryCombinationOfItsCores) {
  const PlatformSpec spec = load_platform("odroid_xu3");
  EXPECT_EQ(spec.mappings.size(), 24u);
  std::set<std::string> names;
  for (const Mapping& mapping : spec.mappings) names.insert(mapping.name);
  EXPECT_EQ(names.size(), 24u);
  EXPECT_TRUE(names.contains("A15x2+A7x1"));
  EXPECT_EQ(spec.mappings[spec.find_mapping(spec.find_cluster("A15"), 3)].name, "A15x3");
  EXPECT_EQ(spec.clusters[spec.find_cluster("A15")].opps.size(), 19u);
  EXPECT_EQ(spec.clusters[spec.find_cluster("A7")].opps.size(), 13u);
  EXPECT_EQ(spec.big_cluster(), spec.find_cluster("A15"));
}

TEST(Platforms, TheNanoHasFourCoresOrTheGpu) {
  const PlatformSpec spec = load_platform("jetson_nano");
  std::vector<std::string> names;
  for (const Mapping& mapping : spec.mappings) names.push_back(mapping.name);
  EXPECT_THAT(names, ::testing::ElementsAre("A57x1", "A57x2", "A57x3", "A57x4", "GPUx1"));
  EXPECT_EQ(spec.big_cluster(), spec.find_cluster("A57"));
}

TEST(Platforms, TheHostHasTheCpusThatTheProcessMayUse) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  const PlatformSpec spec = load_platform("host");
  EXPECT_TRUE(spec.emulated);
  EXPECT_EQ(spec.clusters[0].cores, std::min(CPU_COUNT(&before), 8));
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &before)) {
      CPU_SET(cpu, &one);
      break;
    }
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(load_platform("host").clusters[0].cores, 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

}  // namespace
}  // namespace flyball
