#include "env/spaces/quality_knobs.h"

#include <gtest/gtest.h>

#include <set>

#include "env/spaces/binding.h"
#include "tests/env/network_levels.h"

namespace flyball {
namespace {

/// A resolution, a model and a frame rate; the small model is not offered at 640 px.
Binding detector() {
  Binding app;
  app.name = "camera";
  app.profile = "detector";
  app.knobs = {{"resolution", "px", {"320", "640"}},
               {"model", "", {"small", "large"}},
               {"rate", "frames/s", {"7.5", "15", "30"}}};
  for (const KnobValues& at : {KnobValues{0, 0, 0}, {0, 0, 2}, {0, 1, 1}, {1, 1, 0}, {1, 1, 2}}) {
    app.levels.push_back({at, 50});
  }
  return app;
}

TEST(QualityKnobs, FlattenIsTheOtherWayRoundOfUnflatten) {
  const Binding app = detector();
  int offered = 0;
  for (std::uint8_t a = 0; a < 2; ++a) {
    for (std::uint8_t b = 0; b < 2; ++b) {
      for (std::uint8_t c = 0; c < 3; ++c) {
        const int level = find_level(app.levels, {a, b, c});
        if (level < 0) continue;
        ++offered;
        EXPECT_EQ(app.levels[static_cast<std::size_t>(level)].knob, (KnobValues{a, b, c}));
      }
    }
  }
  EXPECT_EQ(offered, 5);
  EXPECT_EQ(find_level(app.levels, {0, 1, 1}), 2);
  EXPECT_EQ(find_level(app.levels, {1, 0, 0}), -1) << "not offered";
}

TEST(QualityKnobs, NamesSayEveryValueAndTellLevelsApart) {
  const Binding app = detector();
  const auto name = [&](std::size_t level) {
    return level_name(app.knobs, app.levels[level].knob);
  };
  EXPECT_EQ(name(0), "320/small/7.5");
  EXPECT_EQ(name(4), "640/large/30");
  std::set<std::string> names;
  for (std::size_t l = 0; l < app.levels.size(); ++l) names.insert(name(l));
  EXPECT_EQ(names.size(), app.levels.size());
  EXPECT_EQ(level_text(app.knobs, {0, 1, 0}, LevelText::kShort),
            "resolution 320, model large, rate 7.5");
  EXPECT_EQ(level_text(app.knobs, {0, 1, 0}, LevelText::kWithUnits),
            "resolution 320 px, model large, rate 7.5 frames/s");
  EXPECT_EQ(level_text(app.knobs, {0, 1, 2}, LevelText::kAligned),
            "resolution 320 px, model large, rate  30 frames/s");
  EXPECT_EQ(level_text({}, {}, LevelText::kWithUnits), "") << "a plain load";
}

// The dynamic network's level, as it has always been written.
TEST(QualityKnobs, ThePrecisionQualifiesTheWidth) {
  const Binding app =
      with_widths("camera", "net", {{.width_pct = 75, .int8 = true}, {.width_pct = 100}});
  const KnobValues int8 = app.levels[0].knob, whole = app.levels[1].knob;
  EXPECT_EQ(level_name(app.knobs, int8), "75 int8");
  EXPECT_EQ(level_name(app.knobs, int8, ""), "75int8");
  EXPECT_EQ(level_name(app.knobs, whole), "100");
  EXPECT_EQ(level_text(app.knobs, int8, LevelText::kShort), "width 75 int8");
  EXPECT_EQ(level_text(app.knobs, int8, LevelText::kWithUnits), "width 75 % int8");
  EXPECT_EQ(level_text(app.knobs, int8, LevelText::kAligned), "width  75 % int8");
  EXPECT_EQ(level_text(app.knobs, whole, LevelText::kAligned), "width 100 %");
  EXPECT_EQ(column_name(app.knobs[0]), "width_pct");
  EXPECT_EQ(column_name(app.knobs[1]), "precision");
}

TEST(QualityKnobs, ColumnsAreNamedAfterKnobAndUnit) {
  EXPECT_EQ(unit_suffix(""), "");
  EXPECT_EQ(unit_suffix("kHz"), "_khz");
  EXPECT_EQ(column_name(detector().knobs[2]), "rate_frames_per_s");
  EXPECT_EQ(column_name({"size", "µm 2", {}}), "size___m_2") << "only what every tool can read";
}

TEST(QualityKnobs, NumbersAreThoseThatAreNothingElse) {
  EXPECT_EQ(number_of("7.5"), 7.5);
  EXPECT_EQ(number_of("-1"), -1);
  for (const char* word : {"", "int8", "8x", "0x10", "inf", "nan", "1e999"}) {
    EXPECT_FALSE(number_of(word).has_value()) << word;
  }
}

// What a foreign recording holds reads oddly, but never out of bounds.
TEST(QualityKnobs, AValueThatIsNotThereIsAQuestionMark) {
  const Binding app = detector();
  EXPECT_EQ(level_name(app.knobs, {255, 0, 9}), "?/small/?");
  EXPECT_EQ(level_text(app.knobs, {255, 0, 9}, LevelText::kShort),
            "resolution ?, model small, rate ?");
}

}  // namespace
}  // namespace flyball
