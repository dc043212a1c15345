#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "agents/arm_learner.h"

namespace flyball {

/// What learners by temporal differences share: the cost of an arm in two parts, both linear in its
/// features,
///
///   cost-to-go(s, a) = w x(a) + discount(s) f x(a)
///
/// w x is what the job itself is charged, and f x what comes of it: the cost-to-go of the job behind
/// it. The discount is kDiscount where jobs are coupled by a queue or by heat; elsewhere what one job
/// does, the next does not feel, and it is 0. f is 0 at first, so that the belief is what counts.
/// Both move along their gradient, normalised (Sutton and Barto, "Reinforcement learning", 2nd edition,
/// 9.6 and 10.1), by a step that falls with the jobs on an arm's clusters; each weight in the measure in which it is
/// uncertain at first.
class TdArms : public ArmLearner {
 public:
  static constexpr double kDiscount = 0.9;
  static constexpr double kFirstStep = 0.5, kStepFloor = 0.02;
  static constexpr double kStepJobs = 20;  ///< after so many the step is half
  static constexpr double kContextStep = 0.2;
  static constexpr double kEpsilon = 0.3;  ///< of trying other clusters, of which nothing is known

  explicit TdArms(const LinearPrior& prior) : prior_(prior) {
    std::fill_n(now_.begin(), prior.own, prior.mean);
  }

  double cost(const ArmState& state, const Arm& arm) const override {
    double sum = 0;
    const double discount = state.coupled ? kDiscount : 0;
    for (int i = 0; i < prior_.own; ++i) sum += (now_[i] + discount * later_[i]) * arm.x[i];
    return sum;
  }
  /// Epsilon-greedy over sets of clusters, of each the cheapest arm: epsilon falls as 1 / (1 + jobs) on
  /// them.
  Choice choose(const ArmState& state, std::span<const Arm> arms, int greedy, Random& random,
                std::span<double> chance) override {
    std::array<int, 1u << kMaxClusters> best;
    best.fill(-1);
    for (std::size_t i = 0; i < arms.size(); ++i) {
      int& of_units = best[arms[i].units];
      if (of_units < 0 ||
          cost(state, arms[i]) < cost(state, arms[static_cast<std::size_t>(of_units)]))
        of_units = static_cast<int>(i);
    }
    const unsigned own = arms[static_cast<std::size_t>(greedy)].units;
    double rest = 1;
    // However many sets of clusters there are, all of them together are not tried more often.
    double others = 0;
    for (unsigned units = 0; units < best.size(); ++units)
      others += best[units] >= 0 && units != own;
    int chosen = greedy;
    double at = random.uniform();
    for (unsigned units = 0; units < best.size(); ++units) {
      if (best[units] < 0 || units == own) continue;
      const double share = kEpsilon / others / (1 + static_cast<double>(jobs_[units]));
      chance[static_cast<std::size_t>(best[units])] = share;
      rest -= share;
      if (at >= 0 && at < share) chosen = best[units];
      at -= share;
    }
    chance[static_cast<std::size_t>(greedy)] = rest;
    return {chosen, rest < 1 ? Draw::kKnown : Draw::kNone};
  }
  bool looks_ahead() const override { return true; }

  void ablate(Ablation how, Random& random) override {
    for (auto* weights : {&now_, &later_}) {
      const auto first = [&](int i) { return weights == &now_ ? prior_.mean_of(i) : 0; };
      Arm::Features off{};
      for (int i = 0; i < size(); ++i) off[i] = (*weights)[i] - first(i);
      for (int i = size() - 1; how == Ablation::kShuffled && i > 0; --i) {
        std::swap(off[i], off[random.below(static_cast<std::uint32_t>(i) + 1)]);
      }
      const double sign = how == Ablation::kZeroed ? 0 : how == Ablation::kNegated ? -1 : 1;
      for (int i = 0; i < size(); ++i) (*weights)[i] = first(i) + sign * off[i];
    }
  }
  void save(ByteWriter& out) const override {
    for (int i = 0; i < size(); ++i) out.f32(static_cast<float>(now_[i]));
    for (int i = 0; i < size(); ++i) out.f32(static_cast<float>(later_[i]));
    for (const std::uint32_t jobs : jobs_) out.u32(jobs);
  }
  void load(ByteReader& in) override {
    for (int i = 0; i < size(); ++i) now_[i] = static_cast<double>(in.f32());
    for (int i = 0; i < size(); ++i) later_[i] = static_cast<double>(in.f32());
    for (std::uint32_t& jobs : jobs_) jobs = in.u32();
  }

 protected:
  double charged(const Arm& arm) const { return dot(now_, arm.x); }
  double later(const Arm& arm) const { return dot(later_, arm.x); }
  /// Of the job behind: what it is charged, and what comes of that.
  double to_go(const ArmState& state, const Arm& arm) const {
    return charged(arm) + (state.coupled ? kDiscount * later(arm) : 0);
  }
  /// Takes in what the job was charged.
  void take(const Outcome& outcome) {
    ++jobs_[outcome.arm.units];
    if (outcome.disturbed) return;
    const double noise = outcome.noise / (kNoise * std::max(1e-6, outcome.arm.believed));
    move(now_, outcome.arm.x,
         step(outcome.arm) / (1 + noise * noise) * (outcome.cost - charged(outcome.arm)),
         outcome.arm.x);
  }
  /// The fewer jobs there were on the arm's clusters, the more one of them tells.
  double step(const Arm& arm) const {
    return std::max(kStepFloor, kFirstStep / (1 + jobs_[arm.units] / kStepJobs));
  }
  /// `weights` by `by` along `trace`, normalised by `x`.
  void move(Arm::Features& weights, const Arm::Features& trace, double by,
            const Arm::Features& x) const {
    const bool later = &weights == &later_;
    double norm = 1e-6;
    for (int i = 0; i < size(); ++i) norm += spread2(i, later) * x[i] * x[i];
    for (int i = 0; i < size(); ++i) weights[i] += by * spread2(i, later) * trace[i] / norm;
  }
  int size() const { return prior_.size(); }

  Arm::Features now_{}, later_{};

 private:
  static constexpr double kNoise = 0.1;  ///< as Ucb's
  double dot(const Arm::Features& weights, const Arm::Features& x) const {
    double sum = 0;
    for (int i = 0; i < size(); ++i) sum += weights[i] * x[i];
    return sum;
  }
  /// A gradient knows nothing of what goes with what. Of what a job is charged, what arms do not decide
  /// would take all that a job of another arm shows, at the step of the others; what comes of a job is
  /// mostly that.
  double spread2(int i, bool later) const {
    const double spread = prior_.spread_of(i) * (i < prior_.own || later ? 1 : kContextStep);
    return spread * spread;
  }

  LinearPrior prior_;
  std::array<std::uint32_t, 1u << kMaxClusters> jobs_{};
};

}  // namespace flyball
