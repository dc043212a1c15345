// What was learned on one board, beside a cold start on another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(CliTransfer, IsComparedWithAColdStart) {
  const TempDir dir;
  const std::string policy = dir / "nano.policy";
  const Finished trained =
      flyball_run({"train", "--platform", "jetson_nano", "--scenario", "single_periodic",
                   "--episodes", "2", "--lanes", "1", "--out", policy});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const auto compare = [&](const std::string& policies, const std::string& from) {
    return flyball_run({"compare", "--platform", "zynq_ultrascale", "--scenario", "single_periodic",
                        "--seeds", "1", "--policies", policies, "--from", from, "--json"});
  };
  const Finished both = compare("q_learning,warm=q_learning", "warm=" + policy);
  ASSERT_EQ(both.exit_code, 0) << both.err;
  const json all = json::parse(both.out);
  EXPECT_EQ(all.at("policy_files").at("warm"), policy);
  // The A57s of the one for the A53s of the other, and one processing element for the other.
  EXPECT_THAT(both.err + both.out, HasSubstr("A53 from its"));
  EXPECT_THAT(both.err + both.out, HasSubstr("FPGA from its"));

  for (const auto& [policies, from, why] :
       {std::tuple<std::string, std::string, std::string>{"q_learning", "warm=" + policy,
                                                          "'warm' is not among the policies"},
        {"rule=q_learning", "rule=" + policy, "it is called as the policy 'rule'"},
        {"q_learning,warm=q_lerning", "warm=" + policy, "q_lerning"}}) {
    const Finished refused = compare(policies, from);
    EXPECT_EQ(refused.exit_code, 2) << policies;
    EXPECT_THAT(refused.err, HasSubstr(why));
    EXPECT_EQ(refused.out, "");
  }
}

}  // namespace
}  // namespace flyball::testing
