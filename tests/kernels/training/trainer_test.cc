#include "kernels/training/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/data/procedural.h"
#include "kernels/dnn/network.h"

namespace flyball {
namespace {

using testing::Pointwise;

/// Two epochs of six steps per phase: 36 images, the others of the 40 are held out.
Recipe tiny(const std::string& kind) {
  Recipe recipe;
  recipe.kind = kind;
  recipe.images = 40;
  recipe.epochs = 2;
  recipe.batch = 6;
  recipe.seed = 5;
  return recipe;
}

const Dataset& images() {
  static const Dataset set = procedural_training_set(40, 5);
  return set;
}

std::vector<float> logits_of(const Network& network, int width, std::size_t image) {
  Workspace workspace(network.spec());
  std::vector<float> in(3072), out(10);
  normalise(images().image(image), in);
  EXPECT_TRUE(network.infer(workspace, width, Precision::kFloat32, in, out));
  return out;
}

bool always(const TrainingReport&) { return true; }

TEST(Trainer, DroppingLaterGroupsGivesTheBitsThatWereTrained) {
  Trainer trainer(tiny("grouped"), images());
  std::vector<Model> after;  // each phase
  EXPECT_TRUE(trainer.run([&](const TrainingReport&) {
    if (trainer.phases_done() > int(after.size())) after.push_back(trainer.model());
    return true;
  }));
  ASSERT_EQ(after.size(), 4u);
  const Network last(trainer.model());
  for (int width = 0; width < 4; ++width) {
    const Network then(after[width]);
    for (std::size_t image = 0; image < 5; ++image)
      EXPECT_EQ(logits_of(then, width, image), logits_of(last, width, image)) << width;
    // And the newest group says something, or this would prove nothing.
    if (width > 0) {
      EXPECT_NE(logits_of(last, width, 0), logits_of(last, width - 1, 0));
    }
  }
}

class BothKinds : public testing::TestWithParam<const char*> {};

TEST_P(BothKinds, ResumedEqualsUninterrupted) {
  const Recipe recipe = tiny(GetParam());
  Trainer straight(recipe, images());
  int steps = 0;
  straight.run([&](const TrainingReport&) { return ++steps > 0; });
  const std::vector<float> expected = straight.model().parameters;

  // Within an epoch, between epochs, between phases, before the last step.
  for (int stop : {2, 6, 12, steps - 1}) {
    Trainer before(recipe, images());
    int n = 0;
    ASSERT_FALSE(before.run([&](const TrainingReport&) { return ++n < stop; }));
    Trainer after(recipe, images());
    ASSERT_EQ(after.restore(before.checkpoint()), "");
    EXPECT_TRUE(after.run(always));
    EXPECT_EQ(after.model().parameters, expected) << stop << " of " << steps;
  }
}

TEST_P(BothKinds, TheSeedDecides) {
  Recipe recipe = tiny(GetParam());
  recipe.epochs = 1;
  const auto parameters = [&recipe] {
    Trainer trainer(recipe, images());
    trainer.run(always);
    return trainer.model().parameters;
  };
  const std::vector<float> first = parameters();
  EXPECT_EQ(parameters(), first);
  recipe.seed = 6;
  EXPECT_NE(parameters(), first);
}

TEST_P(BothKinds, TheLossFalls) {
  Recipe recipe = tiny(GetParam());
  recipe.epochs = 6;
  recipe.lr = 0.01;
  recipe.smoothing = 0;
  Trainer trainer(recipe, images());
  double first = 0, last = 0;
  trainer.run([&](const TrainingReport& report) {
    if (report.step == report.steps)
      (report.epoch == 0 && report.phase == 0 ? first : last) = report.loss;
    return true;
  });
  EXPECT_LT(last, 0.8 * first);
}

TEST_P(BothKinds, StopsEarlyWhenNothingImproves) {
  Recipe recipe = tiny(GetParam());
  recipe.epochs = 1000;
  recipe.lr = 1e-12;
  recipe.patience = 2;
  Trainer trainer(recipe, images());
  int epochs = 0;
  EXPECT_TRUE(trainer.run([&epochs](const TrainingReport& report) {
    epochs += report.step == report.steps;
    return epochs < 200;
  }));
}

INSTANTIATE_TEST_SUITE_P(Trainer, BothKinds, testing::Values("grouped", "slimmable"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Trainer, RefusesACheckpointThatDoesNotFit) {
  const Trainer grouped(tiny("grouped"), images());
  Trainer slimmable(tiny("slimmable"), images());
  EXPECT_NE(slimmable.restore(grouped.checkpoint()), "");
  TrainingCheckpoint cut = slimmable.checkpoint();
  cut.learning.pop_back();
  EXPECT_NE(slimmable.restore(cut), "");
  TrainingCheckpoint far = slimmable.checkpoint();
  far.epoch = 2;
  EXPECT_NE(slimmable.restore(far), "");
  for (std::uint32_t TrainingCheckpoint::*place :
       {&TrainingCheckpoint::phase, &TrainingCheckpoint::epoch, &TrainingCheckpoint::step}) {
    TrainingCheckpoint hostile = slimmable.checkpoint();
    hostile.*place = 0xffffffff;
    EXPECT_NE(slimmable.restore(hostile), "");
  }
}

TEST(Trainer, ReportsWhereItIs) {
  Trainer trainer(tiny("grouped"), images());
  std::vector<TrainingReport> reports;
  trainer.run([&reports](const TrainingReport& report) {
    reports.push_back(report);
    return true;
  });
  ASSERT_EQ(reports.size(), (2u + 3 + 4 + 5) * 6);  // an epoch more for each further group
  EXPECT_EQ(reports[0].step, 1);
  EXPECT_EQ(reports[0].steps, 6);
  EXPECT_LT(reports[0].validation_pct, 0);
  EXPECT_EQ(reports[5].step, 6);
  EXPECT_GE(reports[5].validation_pct, 0);
  EXPECT_EQ(reports[6].epoch, 1);
  EXPECT_EQ(reports[12].phase, 1);
  EXPECT_EQ(reports[12].phases, 4);
  for (const TrainingReport& report : reports) EXPECT_GT(report.loss, 0);
}

}  // namespace
}  // namespace flyball
