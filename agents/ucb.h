#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "agents/arm_learner.h"
#include "kernels/base/det_math.h"

namespace flyball {

/// UCB1 (Auer, Cesa-Bianchi and Fischer, "Finite-time analysis of the multiarmed bandit problem", 2002)
/// over mappings, for costs: the one whose mean less kWidth sqrt(ln t / n) is least. There are more
/// mappings than jobs to try them, so that what is counted is how far a mapping is off its belief, and
/// one takes part in what was found of the others:
///
///   off(mapping) = (n mean(mapping) + kShare off(its clusters)) / (n + kShare)
///   off(clusters) likewise towards all; of those never used, what all have in common
///
/// and n counts jobs on the same clusters as kGroupShare jobs of its own. The width is relative to what
/// the arm is believed to cost.
class Ucb final : public ArmLearner {
 public:
  static constexpr const char* kName = "ucb";
  static constexpr double kWidth = 0.06;
  static constexpr double kFirstCount = 0.05;
  static constexpr double kShare = 2, kGroupShare = 0.5;
  static constexpr double kNoise = 0.1;     ///< of a job's energy that counts as one, relative
  static constexpr double kMostCount = 60;  ///< jobs that a mean remembers

  Ucb(const LinearPrior&, int arms) : own_(static_cast<std::size_t>(arms)) {}

  double off(const Arm& arm) const {
    const Mean& own = own_[static_cast<std::size_t>(arm.mapping)];
    return own.towards(group_[arm.units].towards(all_.mean, kShare), kShare);
  }
  double count(const Arm& arm) const {
    const Mean& own = own_[static_cast<std::size_t>(arm.mapping)];
    return kFirstCount + own.count + kGroupShare * (group_[arm.units].count - own.count);
  }
  double width(const Arm& arm, std::uint64_t jobs) const {
    return kWidth * arm.believed * std::sqrt(det_log(2 + static_cast<double>(jobs)) / count(arm));
  }

  double cost(const ArmState&, const Arm& arm) const override { return arm.believed + off(arm); }
  /// Arms of which as little is known are as likely, or the first of them would be tried for ever.
  Choice choose(const ArmState& state, std::span<const Arm> arms, int greedy, Random& random,
                std::span<double> chance) override {
    const auto bound = [&](const Arm& arm) { return cost(state, arm) - width(arm, state.jobs); };
    double least = bound(arms[static_cast<std::size_t>(greedy)]);
    for (const Arm& arm : arms) least = std::min(least, bound(arm));
    std::uint32_t ties = 0;
    for (const Arm& arm : arms) ties += bound(arm) <= least;
    std::uint32_t pick = ties > 1 ? random.below(ties) : 0;
    int chosen = greedy;
    for (std::size_t i = 0; i < arms.size(); ++i) {
      if (bound(arms[i]) > least) continue;
      chance[i] = 1.0 / ties;
      if (pick-- == 0) chosen = static_cast<int>(i);
    }
    return {chosen, ties > 1 ? Draw::kKnown : Draw::kNone};
  }
  void learn(const Outcome& outcome) override {
    if (outcome.disturbed) return;
    const double off = outcome.cost - outcome.arm.believed;
    const double noise = outcome.noise / (kNoise * std::max(1e-6, outcome.arm.believed));
    const double weight = 1 / (1 + noise * noise);
    for (Mean* mean : {&own_[static_cast<std::size_t>(outcome.arm.mapping)],
                       &group_[outcome.arm.units], &all_}) {
      mean->take(off, weight);
    }
  }
  void ablate(Ablation how, Random& random) override {
    if (how == Ablation::kShuffled) {
      for (std::size_t i = own_.size() - 1; i > 0; --i) {
        std::swap(own_[i], own_[random.below(static_cast<std::uint32_t>(i) + 1)]);
      }
      std::array<std::size_t, 1u << kMaxClusters> used{};
      std::uint32_t count = 0;
      for (std::size_t g = 0; g < group_.size(); ++g) {
        if (group_[g].count > 0) used[count++] = g;
      }
      for (std::uint32_t i = count; i > 1; --i) {
        std::swap(group_[used[i - 1]], group_[used[random.below(i)]]);
      }
      return;
    }
    const double sign = how == Ablation::kZeroed ? 0 : -1;
    for (Mean& mean : own_) mean.mean *= sign;
    for (Mean& mean : group_) mean.mean *= sign;
    all_.mean *= sign;
  }
  void save(ByteWriter& out) const override {
    out.u32(static_cast<std::uint32_t>(own_.size()));
    for (const Mean& mean : own_) mean.save(out);
    for (const Mean& mean : group_) mean.save(out);
    all_.save(out);
  }
  void load(ByteReader& in) override {
    in.expect(static_cast<std::uint32_t>(own_.size()), "number of mappings");
    for (Mean& mean : own_) mean.load(in);
    for (Mean& mean : group_) mean.load(in);
    all_.load(in);
  }

 private:
  struct Mean {
    double mean = 0, count = 0;
    double towards(double prior, double weight) const {
      return (count * mean + weight * prior) / (count + weight);
    }
    void take(double value, double weight) {
      count = std::min(count + weight, kMostCount);
      mean += weight / count * (value - mean);
    }
    void save(ByteWriter& out) const {
      out.f32(static_cast<float>(mean));
      out.f32(static_cast<float>(count));
    }
    void load(ByteReader& in) {
      mean = static_cast<double>(in.f32());
      count = static_cast<double>(in.f32());
      if (!(count >= 0 && count <= kMostCount)) in.reject("a count is out of range");
    }
  };
  std::vector<Mean> own_;
  std::array<Mean, 1u << kMaxClusters> group_{};
  Mean all_;
};

}  // namespace flyball
