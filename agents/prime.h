#pragma once

#include <array>
#include <cstdint>

#include "agents/linux_governor.h"
#include "kernels/base/random.h"

namespace flyball {

/// The Q-learner that the PRiME project released in 2018 (PRiME-Framework; after Shafik et al.,
/// TCAD 2016), as an algorithm, without the released code's faults. A contextual bandit: no
/// discount, no next state. State: moving average (weight 0.6 on the new value) of the cycles per
/// job, in bins. Actions: the frequencies of the big cluster. Q starts at 1; Q <- 0.6 Q + 0.4 r.
/// Reward, with t the mean time of the decision's 10 jobs and D the deadline: min(100, 100 t / D)
/// on time, max(-100, -100 (t - D) / (3 D)) late; energy is not in it: slow but on time is what
/// pays. One decision per 10 jobs; a random one always at first, then with 68 %, falling linearly
/// to 0 at decision 174.
class Prime final : public Agent {
 public:
  static constexpr int kJobsPerDecision = 10;
  static constexpr int kLastExploration = 174;
  static constexpr int kBins = 16;  ///< of the workload, from 0 to twice the nominal job
  static constexpr double kEwma = 0.6;
  static constexpr double kLearningRate = 0.4;

  explicit Prime(const AgentContext& context);
  std::string_view name() const override { return "prime"; }
  void bind(int slot, const Binding& binding, const Observation& now) override;
  void unbind(int slot) override;
  void begin_run() override;
  void decide(const Observation& now, Decision& out) noexcept override;
  bool alternatives(const Observation& now, const Decision& decided,
                    DrawnActions& out) const override;
  void learn(const Observation& outcome, const Action& applied,
             const Reward& reward) noexcept override;
  void set_learning(bool on) override { learning_ = on; }
  bool learns() const override { return true; }
  bool guarded() const override { return false; }
  void save(ByteWriter& out) const override;
  std::size_t saved_bytes() const override { return 6 * 4 + sizeof q_; }
  std::vector<std::string> load(const std::vector<std::uint8_t>& payload, bool as_prior) override;

  static double exploration(int decision);
  static double job_reward(double mean_time_ns, double deadline_ns);
  static double update(double q, double reward) {
    return (1 - kLearningRate) * q + kLearningRate * reward;
  }
  double q(int bin, int opp) const {
    return q_[static_cast<std::size_t>(bin)][static_cast<std::size_t>(opp)];
  }

 private:
  void govern(int slot);
  int bin_of(double mcycles) const;
  int greedy(int bin) const;
  double probability_of(int opp) const;
  void finish_window(const Observation& outcome);

  const PlatformSpec& platform_;
  AppTable<bool> apps_;
  Placement placement_;
  int cluster_;
  int governed_ =
      -1;  ///< the slot whose jobs it learns from: the first that came, then of those left
  double nominal_mcycles_ = 1;
  Random rng_;
  bool learning_ = true;

  std::array<std::array<float, kMaxOpps>, kBins> q_;
  double ewma_mcycles_ = 0;
  double kept_mcycles_ = 0;  ///< the same, as it was while it learned: for the policy file
  int decisions_ = 0;
  int bin_ = 0, opp_ = 0;
  bool chosen_ = false, explored_ = false;
  double exploration_ = 0;  ///< of the last choice
  int jobs_ = 0;
  double time_ns_ = 0, mcycles_ = 0;
};

}  // namespace flyball
