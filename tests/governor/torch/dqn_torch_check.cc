// What `flyball-torch dqn` trains: the same network in LibTorch and in Eigen, the same bytes from the same
// seed, and who takes them. One process, since LibTorch starts slowly.
#include <torch/torch.h>
// glog, which LibTorch pulls in, defines this too.
#undef CHECK
#include <gtest/gtest.h>

#include <filesystem>

#include "agents/job_bandit.h"
#include "env/config/yaml.h"
#include "governor/metrics/session.h"
#include "governor/torch/dqn_verb.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

DqnTrained small_training(const PlatformSpec& platform, std::uint64_t seed, unsigned threads) {
  const DqnBoards boards = play_boards(
      platform,
      {.scenarios = {"full_accuracy"}, .boards = 16, .jobs = 60, .seed = seed, .threads = threads});
  return train_dqn({&boards, 1}, {.steps = 200, .seed = seed, .progress = nullptr});
}

TEST(DqnAgainstTorch, TheNetworkIsTheSameInEigen) {
  torch::manual_seed(3);
  const auto kind = torch::TensorOptions().dtype(torch::kFloat64);
  const torch::Tensor first = torch::randn({DqnBody::kHidden, DqnBody::kInputs}, kind);
  const torch::Tensor first_bias = torch::randn({DqnBody::kHidden}, kind);
  const torch::Tensor second = torch::randn({DqnBody::kFeatures, DqnBody::kHidden}, kind);
  const torch::Tensor second_bias = torch::randn({DqnBody::kFeatures}, kind);
  DqnBody body;
  for (int i = 0; i < DqnBody::kHidden; ++i) {
    for (int j = 0; j < DqnBody::kInputs; ++j) body.first(i, j) = first[i][j].item<double>();
    for (int j = 0; j < DqnBody::kFeatures; ++j) body.second(j, i) = second[j][i].item<double>();
    body.first_bias[i] = first_bias[i].item<double>();
  }
  for (int j = 0; j < DqnBody::kFeatures; ++j) body.second_bias[j] = second_bias[j].item<double>();
  for (int i = 0; i < 20; ++i) {
    torch::Tensor input = torch::randn({DqnBody::kInputs}, kind);
    const DqnBody::Input ours = Eigen::Map<const DqnBody::Input>(input.data_ptr<double>());
    const torch::Tensor theirs = torch::relu(
        torch::matmul(second, torch::relu(torch::matmul(first, input) + first_bias)) + second_bias);
    const DqnBody::Features features = body.features(ours);
    for (int j = 0; j < DqnBody::kFeatures; ++j)
      EXPECT_NEAR(features[j], theirs[j].item<double>(), 1e-10);
  }
}

TEST(DqnAgainstTorch, TheSameSeedGivesTheSameFileWhichFlyballTakes) {
  const PlatformSpec platform = load_platform("odroid_xu3");
  const DqnTrained trained = small_training(platform, 5, 2);
  EXPECT_LT(trained.error, trained.untrained_error) << "on the boards that chose the best step";
  const PolicyFile policy = dqn_policy(platform, trained.body, trained.mean[0], trained.spread[0]);
  const DqnTrained again = small_training(platform, 5, 1), other = small_training(platform, 6, 2);
  EXPECT_EQ(policy_bytes(policy),
            policy_bytes(dqn_policy(platform, again.body, again.mean[0], again.spread[0])));
  EXPECT_NE(policy_bytes(policy),
            policy_bytes(dqn_policy(platform, other.body, other.mean[0], other.spread[0])));

  // What `flyball` does with the file.
  const std::string path = std::filesystem::temp_directory_path() /
                           ("dqn_check." + std::to_string(getpid()) + ".policy");
  write_policy(path, policy);
  const PolicyFile read = read_policy(path);
  std::filesystem::remove(path);
  EXPECT_EQ(policy_bytes(read), policy_bytes(policy));
  const Belief belief = Belief::of(platform);
  const RewardWeights weights = reward_weights(belief);
  const auto agent = make_agent("dqn", {belief, weights, 1, nullptr});
  EXPECT_TRUE(agent->load(read.payload, false).empty());
  ByteWriter kept;
  agent->save(kept);
  EXPECT_EQ(kept.take(), read.payload);
  // Another platform's is refused, and so is another learner's.
  const PlatformSpec nano = load_platform("jetson_nano");
  const Belief elsewhere = Belief::of(nano);
  EXPECT_THROW(make_agent("dqn", {elsewhere, reward_weights(elsewhere), 1, nullptr})
                   ->load(read.payload, false),
               Error);
  EXPECT_THROW(make_agent("linucb", {belief, weights, 1, nullptr})->load(read.payload, false),
               Error);
}

TEST(DqnAgainstTorch, WrongWordsAreRefusedBeforeAnyWork) {
  const std::string command = FLYBALL_BIN_DIR "/flyball-torch dqn --scenario full_accuracy ";
  for (const char* words :
       {"--platform nope --out x.policy", "--platform odroid_xu3,jetson_nano --out x.policy",
        "--platform odroid_xu3 --out /no/such/folder/x.policy"}) {
    const int status = std::system((command + words + " >/dev/null 2>&1").c_str());
    EXPECT_EQ(WEXITSTATUS(status), 2) << words;
    EXPECT_FALSE(std::filesystem::exists("x.policy")) << words;
  }
}

}  // namespace
}  // namespace flyball
