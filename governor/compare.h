#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "governor/metrics.h"

namespace flyball {

struct PolicyChoice {
  std::string policy;       ///< a name of the agent catalogue, "static_best" and "oracle" included
  std::string policy_file;  ///< learned earlier; empty: starts untrained
};

struct CompareOptions {
  std::vector<PolicyChoice> policies;
  int seeds = 10;
  std::uint64_t first_seed = 1;
  std::function<void(double done)> progress;  ///< 0 to 1; may be empty
  const std::atomic<bool>* stop = nullptr;
};

struct PolicyResult {
  std::string policy;
  std::vector<Metrics> per_seed;
};

/// Runs every policy on the same seeds in simulation; the oracle runs too, for the gap, listed or
/// not.
std::vector<PolicyResult> compare(const PlatformSpec& platform, const Scenario& scenario,
                                  const CompareOptions& options);

/// Trains on `episodes` runs of the scenario with seeds first_seed, first_seed + 1, ... and returns
/// the payload. `on_episode(i, metrics)` after each.
std::vector<std::uint8_t> train(const PlatformSpec& platform, const Scenario& scenario,
                                const std::string& agent, int episodes, std::uint64_t first_seed,
                                const std::function<void(int, const Metrics&)>& on_episode,
                                const std::atomic<bool>* stop);

}  // namespace flyball
