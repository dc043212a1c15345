#pragma once

#include <Eigen/Core>
#include <array>
#include <span>

#include "agents/arm_learner.h"
#include "agents/linear_belief.h"

namespace flyball {

/// The body of the Q-network: what an arm is believed to take (agents/arm.h) and the state, through two
/// layers of rectifiers. With all weights 0, as it is before it is trained, its features are 0.
/// Whatever multiplies adds in the order of the columns, so that every machine computes the same.
struct DqnBody {
  static constexpr int kInputs = Arm::kMost + kLoadRegimes + 1, kHidden = 16, kFeatures = 8;
  using Input = Eigen::Matrix<double, kInputs, 1>;
  using Hidden = Eigen::Matrix<double, kHidden, 1>;
  using Features = Eigen::Matrix<double, kFeatures, 1>;

  Eigen::Matrix<double, kHidden, kInputs> first = Eigen::Matrix<double, kHidden, kInputs>::Zero();
  Hidden first_bias = Hidden::Zero();
  Eigen::Matrix<double, kFeatures, kHidden> second =
      Eigen::Matrix<double, kFeatures, kHidden>::Zero();
  Features second_bias = Features::Zero();

  static Input input(const ArmState& state, const Arm::Features& x);
  Features features(const Input& input) const;
  void save(ByteWriter& out) const;
  void load(ByteReader& in);
};

/// A small deep Q-network (Mnih et al., "Human-level control through deep reinforcement learning",
/// Nature 2015) whose last layer is Bayesian (Riquelme, Tucker and Snoek, "Deep Bayesian Bandits
/// Showdown", ICLR 2018). Of an arm it says the cost-to-go: what its job is charged and, where jobs are
/// coupled, kDiscount of the cost-to-go of the job behind it. `flyball-torch dqn` trains the body on
/// boards that are not as described, each with a last layer of its own; their mean and spread are where
/// the last layer starts on a board, and every job corrects it from there by recursive least squares.
/// Beside the body's features the last layer has the arm's own and whether jobs are coupled: untrained,
/// it is LinUcb and starts from the belief. It explores as LinUcb does.
class Dqn final : public ArmLearner {
 public:
  static constexpr const char* kName = "dqn";
  static constexpr double kWidth = 1;
  static constexpr double kDiscount = 0.6;
  static constexpr int kMostLast = Arm::kMost + 1 + DqnBody::kFeatures;
  using Last = std::array<double, kMostLast>;

  Dqn(const LinearPrior& prior, int);

  double cost(const ArmState& state, const Arm& arm) const override;
  Choice choose(const ArmState& state, std::span<const Arm> arms, int greedy, Random&,
                std::span<double>) override;
  void learn(const Outcome& outcome) override;
  bool looks_ahead() const override { return true; }
  void ablate(Ablation how, Random& random) override { last_.ablate(how, random); }
  void save(ByteWriter& out) const override;
  void load(ByteReader& in) override;

  /// What the last layer sees: the arm's features, 1 where jobs are coupled, and the body's.
  Last seen(const ArmState& state, const Arm::Features& x) const;
  double to_go(const ArmState& state, const Arm& arm) const {
    return last_.value(seen(state, arm.x));
  }
  /// What a job turned out to cost, with what comes of it.
  double target(const Outcome& outcome) const;
  int last_size() const { return last_.weights().size(); }
  double mean(int i) const { return last_.weights().mean(i); }
  double spread(int i) const { return last_.weights().deviation(i); }
  /// What a training found: the body, and of every weight of the last layer the mean over boards and how
  /// far boards differ.
  void start_from(const DqnBody& body, std::span<const double> mean,
                  std::span<const double> spread);

 private:
  LinearPrior prior_;
  DqnBody body_;
  LinearBelief<kMostLast> last_;
};

}  // namespace flyball
