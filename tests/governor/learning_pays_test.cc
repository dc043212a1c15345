// A small edition of 'flyball evaluate --suite unknown_boards --ablate': fails where learning is
// decoration.

#include <gtest/gtest.h>

#include "governor/compare/evaluate.h"
#include "governor/compare/gates.h"

namespace flyball {
namespace {

Evaluation small_edition() {
  EvaluateOptions options;
  options.agents = {"planner", "q_learning"};
  options.platforms = {load_platform("odroid_xu3")};
  options.scenarios = {"single_periodic", "full_accuracy"};
  options.boards = 12;
  options.seeds = 4;  // one shuffle of a handful of numbers may change little
  options.jobs = 1000;
  options.ablate = true;
  return evaluate(options);
}

TEST(LearningPays, WhereTheBeliefIsWrongAndCostsLittleWhereItIsRight) {
  // What a seed gives is the same there, byte for byte, and takes ten times as long.
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "takes minutes under emulation";
  const Evaluation edition = small_edition();
  for (const AgentVerdict& one : verdicts(edition.rows)) {
    SCOPED_TRACE(one.agent);
    ASSERT_GE(one.wrong.pairs, 2);
    ASSERT_GE(one.right.pairs, 2);
    EXPECT_LE(one.wrong.gap_pct.mean, 5);
    EXPECT_GE(one.wrong.gone_pct.mean, 50);
    EXPECT_LE(one.right.later_points.mean, 0.3);
    EXPECT_LE(one.right.jobs_lost.mean, 8);
    EXPECT_LE(one.wrong.avoidable_pct.mean, 0.1);
  }
  // The learned state is what pays: without it, against it or mixed up, most is lost.
  for (const AblationVerdict& one : ablation_verdicts(edition.ablations)) {
    SCOPED_TRACE(one.agent);
    ASSERT_GE(one.pairs, 2);
    EXPECT_GT(one.gained_points.mean, 3);
    const char* const how[] = {"zeroed", "negated", "shuffled"};
    for (std::size_t i = 0; i < 3; ++i) EXPECT_GE(one.lost_pct[i].mean, 50) << how[i];
  }
}

}  // namespace
}  // namespace flyball
