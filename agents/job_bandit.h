#pragma once

#include <string>

#include "agents/q_learning.h"

namespace flyball {

/// A learner of arms (agents/arm_learner.h) in charge of mappings. Times are learned as the planner
/// learns them, what is safe, clocks and the speed-up within a job are as everywhere; what a job costs,
/// and which mapping to try, is the learner's alone.
class JobBandit : public QLearning {
 public:
  explicit JobBandit(const AgentContext& context) : QLearning(context, Kind::kArms) {}
  std::uint32_t feature_version() const override { return 1; }
  void save(ByteWriter& out) const override;
  std::size_t saved_bytes() const override;
  std::vector<std::string> load(const std::vector<std::uint8_t>& payload, bool as_prior) override;
  void ablate(Ablation how, Random& random) override;

 protected:
  int clusters() const { return static_cast<int>(platform_.clusters.size()); }
  int mappings() const { return static_cast<int>(platform_.mappings.size()); }
};

/// A learner by its agent's name, for problems that are no board; nullptr when there is none.
std::unique_ptr<ArmLearner> make_arm_learner(const std::string& name, const LinearPrior& prior,
                                             int arms);

template <class Learner>
class JobBanditOf : public JobBandit {
 public:
  using JobBandit::JobBandit;
  std::string_view name() const override { return Learner::kName; }

 protected:
  std::unique_ptr<ArmLearner> make_arms() const override {
    return std::make_unique<Learner>(LinearPrior::of_board(clusters()), mappings());
  }
};

/// One whose learner learns nothing.
template <class Learner>
class UnlearnedBanditOf final : public JobBanditOf<Learner> {
 public:
  using JobBanditOf<Learner>::JobBanditOf;
  bool learns() const override { return false; }
  /// As what learns is, so that the two differ in the learning alone.
  bool guarded() const override { return true; }
  void save(ByteWriter&) const override {}
  std::size_t saved_bytes() const override { return 0; }
  std::vector<std::string> load(const std::vector<std::uint8_t>&, bool) override { return {}; }
};

}  // namespace flyball
