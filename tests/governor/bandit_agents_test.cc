// Learners of arms through the command line: trained, compared with what they learned, and explained.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;

TEST(CliBanditAgents, AreTrainedAndStartFromWhatTheyLearned) {
  const TempDir dir;
  std::vector<std::string> compare = {"compare",
                                      "--platform",
                                      "jetson_nano",
                                      "--scenario",
                                      "full_accuracy",
                                      "--seeds",
                                      "1",
                                      "--json",
                                      "--policies",
                                      "model,random,ucb,linucb,thompson,sarsa,q_lambda,mixture"};
  for (const std::string agent : {"ucb", "linucb", "thompson", "sarsa", "q_lambda", "mixture"}) {
    const std::string policy = dir / (agent + ".policy");
    const Finished trained =
        flyball_run({"train", "--platform", "jetson_nano", "--scenario", "full_accuracy", "--agent",
                     agent, "--episodes", "1", "--seed", "3", "--out", policy});
    ASSERT_EQ(trained.exit_code, 0) << agent << trained.err;
    compare.insert(compare.end(), {"--policy-file", agent + "=" + policy});
  }
  const Finished compared = flyball_run(compare);
  ASSERT_EQ(compared.exit_code, 0) << compared.err;
  const json report = json::parse(compared.out);
  ASSERT_EQ(report.at("policies").size(), 8u);
  EXPECT_EQ(flyball_run({"train", "--agent", "random", "--out", dir / "r.policy"}).exit_code, 2)
      << "it learns nothing";
}

}  // namespace
}  // namespace flyball::testing
