#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "env/scenario/scenario.h"
#include "env/sim/simulator.h"
#include "env/spaces/monitors.h"
#include "env/spaces/reward.h"
#include "governor/gym/features.h"
#include "governor/machine/governed_platform.h"

namespace flyball {

/// Simulated boards that are stepped together: what flyball_gym.h shows to other languages, and its
/// words are used here.
class BoardBatch {
 public:
  enum class Autoreset : std::int32_t { kDisabled, kNextStep, kSameStep };
  struct Options {
    int count = 1;
    Autoreset autoreset = Autoreset::kNextStep;
    std::uint64_t seed = 1;
    std::int64_t epoch_ns = 50'000'000;
  };
  static constexpr int kMostBoards = 4096;

  /// Throws Error (kInput).
  BoardBatch(const std::string& platform, const std::string& scenario, const Options& options);

  int count() const { return options_.count; }
  const Features& features() const { return features_; }
  /// What an action has an index for: of an application only the mappings that it can run on.
  struct Knob {
    KnobSpec spec;
    std::vector<std::uint8_t> setting;  ///< of each value, for Action
  };
  const std::vector<Knob>& knobs() const { return knobs_; }

  void reset(const std::uint64_t* seeds, const std::uint8_t* mask, float* observations);
  /// What is wrong with a batch of actions, or that a board has to be reset; empty: nothing.
  std::string problem(const std::int32_t* actions) const;
  /// Allocates only where an episode begins. `final_observations` may be nullptr.
  void step(const std::int32_t* actions, float* observations, double* rewards,
            std::uint8_t* truncated, float* final_observations);

 private:
  struct Board {
    std::unique_ptr<Simulator> simulator;
    std::uint64_t next_seed = 0;
    bool over = false;
  };
  void begin(Board& board, float* observation);
  Action action_of(const std::int32_t* indices) const;

  Options options_;
  GovernedPlatform governed_;
  Scenario scenario_;
  RewardWeights weights_;
  std::vector<Knob> knobs_;
  Features features_;
  std::vector<Board> boards_;
  std::unique_ptr<Observation> now_ = std::make_unique<Observation>();
  std::unique_ptr<Reward> reward_ = std::make_unique<Reward>();
};

}  // namespace flyball
