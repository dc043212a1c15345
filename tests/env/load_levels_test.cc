// An application's own knobs in a platform file.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "env/model/content_hash.h"
#include "env/model/network_levels.h"
#include "env/model/platform_spec.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

namespace fs = std::filesystem;

// Line 18 is the first of the application.
constexpr const char* kBoard = R"(schema: 1
name: tiny
description: a test platform
board_mw: 10
migration_us: 50
cold_cache_ms: 1
clusters:
  big: {kind: cpu, cores: 2, capacity_per_mhz: 1024, transition_latency_us: 100, uncore_nf: 0.1, idle_core_nf: 0.1,
        leakage: {a_w_per_v_k2: 0.001, b_k: 2660, c_a: 0, core_share: 0.5}, opps: [{mhz: 500, mv: 900}]}
mappings: mixed
thermal:
  die: {cluster: big, offset_c: 5, terms: [{r_k_per_w: 5, tau_s: 2}]}
apps:
  net:
    kind: network
    parallel_fraction: 0.9
    units: {big: {mcycles: 10, core_nf: 0.5}}
)";

constexpr const char* kDetector = R"(    accuracy_source: test
    knobs:
      - {name: resolution, unit: px, values: [320, 640]}
      - {name: model, values: [small, large]}
    levels:
      - {resolution: 320, model: small, time_factor: 0.1, activity_factor: 1.1, accuracy_pct: 40}
      - {resolution: 320, model: large, time_factor: 0.4, activity_factor: 1, accuracy_pct: 55, accuracy_source: other}
      - {resolution: 640, model: large, time_factor: 1, activity_factor: 1, accuracy_pct: 70}
)";

class LoadLevelsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "flyball-levels-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { fs::remove_all(dir_); }

  PlatformSpec load(const std::string& of_app) const {
    const std::string path = (dir_ / "p.yaml").string();
    std::ofstream(path) << kBoard << of_app;
    return load_platform(path);
  }
  std::string refusal_of(const std::string& of_app) const {
    try {
      load(of_app);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Error::Kind::kInput);
      const std::string message = e.what();
      EXPECT_EQ(message.find('\n'), std::string::npos);
      return message.substr(message.find("p.yaml"));
    }
    return "nothing was refused";
  }
  /// Of the detector with the first `from` replaced by `to`.
  std::string refusal(const std::string& from, const std::string& to) const {
    std::string text = kDetector;
    const std::size_t at = text.find(from);
    if (at == std::string::npos) return "'" + from + "' is not in the file";
    return refusal_of(text.replace(at, from.size(), to));
  }

  fs::path dir_;
};

TEST_F(LoadLevelsTest, ReadsKnobsAndWhatEachLevelCosts) {
  const AppProfile app = load(kDetector).apps[0];
  ASSERT_EQ(app.knobs.size(), 2u);
  EXPECT_EQ(app.knobs[0], (QualityKnob{"resolution", "px", {"320", "640"}}));
  EXPECT_EQ(app.knobs[1], (QualityKnob{"model", "", {"small", "large"}}));
  ASSERT_EQ(app.level_count(), 3);
  EXPECT_EQ(app.level_text(1), "resolution 320 px, model large");
  EXPECT_DOUBLE_EQ(app.levels[0].time_factor, 0.1);
  EXPECT_DOUBLE_EQ(app.levels[0].activity_factor, 1.1);
  EXPECT_DOUBLE_EQ(app.levels[1].accuracy_pct, 55);
  EXPECT_EQ(app.levels[0].accuracy_source, "test") << "of all that do not say another";
  EXPECT_EQ(app.levels[1].accuracy_source, "other");
  EXPECT_FALSE(has_network_knobs(app));
}

// Today's files are knobs of two names, whichever way they are written.
TEST_F(LoadLevelsTest, WidthsAreTheKnobsWidthAndPrecision) {
  const std::string rest = "activity_factor: 1, accuracy_pct: 60, accuracy_source: test}\n";
  const PlatformSpec widths = load(
      "    widths:\n"
      "      - {width_pct: 50, precision: int8, time_factor: 0.4, " +
      rest + "      - {width_pct: 50, time_factor: 0.5, " + rest +
      "      - {width_pct: 100, time_factor: 1, " + rest);
  const PlatformSpec knobs = load(
      "    knobs:\n"
      "      - {name: width, unit: \"%\", values: [50, 100]}\n"
      "      - {name: precision, values: [int8, fp32]}\n"
      "    levels:\n"
      "      - {width: 50, precision: int8, time_factor: 0.4, " +
      rest + "      - {width: 50, precision: fp32, time_factor: 0.5, " + rest +
      "      - {width: 100, precision: fp32, time_factor: 1, " + rest);
  EXPECT_EQ(widths.apps[0].knobs, knobs.apps[0].knobs);
  EXPECT_EQ(widths.apps[0].content_hash, knobs.apps[0].content_hash);
  EXPECT_EQ(widths.apps[0].level_text(0), "width 50 % int8");
  for (const AppProfile* app : {&widths.apps[0], &knobs.apps[0]}) {
    ASSERT_TRUE(has_network_knobs(*app));
    EXPECT_TRUE(network_level(*app, 0).int8);
    EXPECT_EQ(network_level(*app, 2).width, 1);
    EXPECT_EQ(network_level(*app, 2).width_pct, 100);
  }
}

/// Knobs of so many values each, with all levels that they make.
std::string grid(const std::vector<int>& counts) {
  std::string knobs = "    accuracy_source: test\n    knobs:\n", levels = "    levels:\n";
  int all = 1;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    std::string values;
    for (int v = 0; v < counts[k]; ++v) values += fmt::format("{}{}", v == 0 ? "" : ", ", v);
    knobs += fmt::format("      - {{name: knob{}, values: [{}]}}\n", k, values);
    all *= counts[k];
  }
  for (int level = 0; level < all; ++level) {
    std::string at;
    int rest = level;
    for (std::size_t k = counts.size(); k-- > 0; rest /= counts[k]) {
      at = fmt::format("knob{}: {}, ", k, rest % counts[k]) + at;
    }
    levels +=
        fmt::format("      - {{{}time_factor: 1, activity_factor: 1, accuracy_pct: 50}}\n", at);
  }
  return knobs + levels;
}

TEST_F(LoadLevelsTest, FourKnobsAnd256LevelsAreTheMost) {
  const AppProfile app = load(grid({4, 4, 4, 4})).apps[0];
  ASSERT_EQ(app.level_count(), 256);
  // With all combinations there, a level is a number whose digits are the knobs.
  for (int level = 0; level < 256; ++level) {
    const KnobValues& at = app.levels[static_cast<std::size_t>(level)].knob;
    EXPECT_EQ(((at[0] * 4 + at[1]) * 4 + at[2]) * 4 + at[3], level);
    EXPECT_EQ(find_level(app.levels, at), level);
  }
  EXPECT_EQ(load(grid({256})).apps[0].level_count(), 256);
  EXPECT_EQ(refusal_of(grid({257})), "p.yaml:20: key 'values': has 257 entries; keep at most 256");
  EXPECT_EQ(refusal_of(grid({3, 86})),
            "p.yaml:22: key 'levels': has 258 entries; keep at most 256");
  EXPECT_EQ(refusal_of(grid({2, 2, 2, 2, 2})),
            "p.yaml:19: key 'knobs': has 5 entries; keep at most 4");
}

TEST_F(LoadLevelsTest, BadKnobsAreRefusedAtTheirLine) {
  EXPECT_EQ(refusal("name: model", "name: resolution"),
            "p.yaml:21: key 'name': another knob is called 'resolution' too; "
            "give each its own name");
  EXPECT_EQ(refusal("[320, 640]", "[640, 320]"),
            "p.yaml:20: key 'values': 320 is not above 640; sort the numbers by ascending value");
  EXPECT_EQ(refusal("[320, 640]", "[320, 320]"),
            "p.yaml:20: key 'values': 320 is not above 320; sort the numbers by ascending value");
  EXPECT_EQ(refusal("[320, 640]", "[]"),
            "p.yaml:20: key 'values': is empty; give at least one entry");
  EXPECT_EQ(refusal("[small, large]", "[small, small]"),
            "p.yaml:21: key 'values': 'small' is there twice; remove one of the two");
  EXPECT_EQ(refusal("[320, 640]", "[320, all]"),
            "p.yaml:20: key 'values': '320' and 'all' are a number and a word; "
            "give numbers only, or words only");
  EXPECT_EQ(refusal("[small, large]", "[small, large, [huge]]"),
            "p.yaml:21: key 'values': item 3 must be a plain word or a number, but is a list; "
            "use up to 32 letters, digits, '.', '+', '-' and '_'");
  EXPECT_EQ(
      refusal("[small, large]", "[small, medium, large]"),
      "p.yaml:21: key 'values': no level has 'medium'; add such a level, or remove the value");
  EXPECT_EQ(refusal("{name: model,", "{name: model, unit: px,"),
            "p.yaml:21: key 'unit': the values are words, which have none; remove it");
  EXPECT_EQ(refusal("name: model", "name: time_factor"),
            "p.yaml:21: key 'name': 'time_factor' means something else already; "
            "call the knob by another name");
  EXPECT_EQ(refusal("name: model", "name: mapping"),
            "p.yaml:21: key 'name': 'mapping' means something else already; "
            "call the knob by another name");
  EXPECT_EQ(refusal_of("    knobs: []\n    levels: []\n"),
            "p.yaml:18: key 'knobs': is empty; give at least one entry");
}

TEST_F(LoadLevelsTest, BadLevelsAreRefusedAtTheirLine) {
  EXPECT_EQ(refusal("{resolution: 320, model: small", "{resolution: 320, model: smal"),
            "p.yaml:23: key 'model': 'smal' is not one of its values (did you mean 'small'?); "
            "choose one of small, large");
  EXPECT_EQ(refusal("{resolution: 320, model: small", "{resolutoin: 320, model: small"),
            "p.yaml:23: key 'resolutoin': is unknown (did you mean 'resolution'?); known keys here "
            "are resolution, model, time_factor, activity_factor, accuracy_pct, accuracy_source");
  EXPECT_EQ(refusal("{resolution: 320, model: small", "{resolution: 320"),
            "p.yaml:23: key 'model': is missing; add it");
  EXPECT_EQ(refusal("{resolution: 320, model: large", "{resolution: 320, model: small"),
            "p.yaml:24: the level does not come after the one before it; "
            "list each once, sorted by resolution, then model");
  EXPECT_EQ(refusal("{resolution: 640, model: large", "{resolution: 640, model: small"),
            "p.yaml:25: key 'model': the last level is the whole application, and 'small' is not "
            "'large' there; end the list with the last value of every knob");
  EXPECT_EQ(refusal("time_factor: 1,", "time_factor: 0.9,"),
            "p.yaml:25: key 'time_factor': is relative to the last level, which this is; "
            "set it to 1");
  EXPECT_EQ(refusal("    accuracy_source: test\n", ""),
            "p.yaml:22: key 'accuracy_source': is missing; add it");
  EXPECT_EQ(refusal("    levels:\n", "    widths:\n"),
            "p.yaml:22: key 'widths': 'knobs' are given, whose costs are in 'levels'; remove it");
  EXPECT_EQ(refusal_of("    levels: []\n"),
            "p.yaml:18: key 'levels': it belongs to 'knobs', of which there are none; remove it");
  EXPECT_EQ(refusal_of("    knobs: [{name: a, values: [1]}]\n"),
            "p.yaml:15: key 'levels': is missing; "
            "list what each combination of the knobs' values costs");
  EXPECT_EQ(refusal_of("    knobs: [{name: a, values: [1]}]\n    levels: []\n"),
            "p.yaml:19: key 'levels': is empty; give at least one entry");
}

TEST_F(LoadLevelsTest, AModelHasTheNetworksKnobs) {
  std::string text = "    model: dynamic_cnn\n" + std::string(kDetector).substr(26);
  for (const char* key :
       {", accuracy_pct: 40", ", accuracy_pct: 55, accuracy_source: other", ", accuracy_pct: 70"}) {
    text.erase(text.find(key), std::string(key).size());
  }
  EXPECT_EQ(refusal_of(text),
            "p.yaml:18: key 'model': is a network whose knobs are width in % and precision, and "
            "here they are resolution, then model; remove it, or describe the network's knobs by "
            "'widths'");
}

TEST(LoadLevels, TheShippedFamilyOfNetworksHasThreeKnobs) {
  const PlatformSpec xu3 = load_platform("odroid_xu3");
  const AppProfile& app = xu3.apps[static_cast<std::size_t>(xu3.find_app("mobilenet_v1"))];
  EXPECT_EQ(app.knobs.size(), 3u);
  EXPECT_EQ(app.level_count(), 32);
  // The published table: more of any knob is more accurate, and takes longer.
  for (const LevelProfile& level : app.levels) {
    for (std::size_t k = 0; k < app.knobs.size(); ++k) {
      KnobValues more = level.knob;
      ++more[k];
      const int to = find_level(app.levels, more);
      if (to < 0) continue;
      EXPECT_GT(app.levels[static_cast<std::size_t>(to)].accuracy_pct, level.accuracy_pct);
      EXPECT_GT(app.levels[static_cast<std::size_t>(to)].time_factor, level.time_factor);
    }
  }
}

}  // namespace
}  // namespace flyball
