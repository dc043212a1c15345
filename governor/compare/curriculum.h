#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "env/model/belief.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "governor/metrics/metrics.h"
#include "governor/metrics/paired.h"

namespace flyball {

/// A training whose best moment is kept: several learners play the same scenarios with seeds of their
/// own, are tried from time to time on runs that none of them learns from, and what is returned is
/// the one that did best there, which may be what they began with.
struct Curriculum {
  const PlatformSpec& platform;  ///< the truth, where boards are not drawn
  const Belief& belief;
  std::vector<Scenario> scenarios;  ///< of the platform as declared; they take turns
  std::string agent;
  int episodes = 200;  ///< of each learner
  int lanes = 2;       ///< learners; the result depends on it, not on how many threads there are
  /// Each episode plays another of so many boards, which differ from the platform as those of
  /// draw_board() do; 0: the platform itself. What is tried is tried on boards of another draw.
  int boards = 0;
  std::uint64_t first_seed = 1;
  std::vector<std::uint8_t> start{};  ///< a payload that they go on from; empty: untrained
  bool start_as_prior = false;
  std::function<void(int scenario, const Metrics&)> on_episode{};  ///< of the first learner
  std::function<void(double done)> progress{};                     ///< 0 to 1
  const std::atomic<bool>* stop = nullptr;
  unsigned threads = 2;
};

/// How a learner did when it was tried: means over all runs.
struct Checkpoint {
  int lane = 0, episodes = 0;
  double reward = 0, energy_mj_per_job = 0, deadline_miss_pct = 0;
};

struct TrainedPolicy {
  std::vector<std::uint8_t> learned;
  std::vector<Checkpoint> checkpoints;  ///< the first is what they began with
  std::optional<std::size_t> kept = 0;  ///< of these; none when it was not tried
  bool ended_early = false;             ///< nothing better for half of the training
  /// Reward of a run with it, less that with what was there at the beginning, on seeds by which nothing was
  /// learned or chosen. No pairs when it was stopped.
  PairedDifference gain;
};

/// Learned with seeds first_seed + k * lanes + lane. Tried with seeds from 2^40 on and judged by seeds
/// from 2^41 on, which no comparison draws unless it is asked to. Stopped, it returns the best
/// of what was tried after learning, or without such a one what the first learner has learned by then.
/// Throws Error.
TrainedPolicy train_curriculum(const Curriculum& curriculum);

}  // namespace flyball
