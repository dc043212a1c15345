#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "env/model/belief.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "governor/compare/bounds.h"
#include "governor/compare/seed_list.h"
#include "governor/compare/simulation.h"
#include "governor/metrics/metrics.h"

namespace flyball {

struct PolicyChoice {
  std::string policy;  ///< a name of the agent catalogue, "static_best" and "oracle" included
  std::vector<std::uint8_t> learned{};  ///< the payload of a policy file; empty: starts untrained
  bool as_prior = false;                ///< of another platform
};

struct CompareOptions {
  std::vector<PolicyChoice> policies;
  /// What the policies believe of the platform; null: what is true of it.
  const Belief* belief = nullptr;
  bool believes_truth = true;  ///< that belief is the truth
  /// Looks for a better schedule among more than is listed: static_best and other policies that are told
  /// the truth.
  bool search = false;
  std::string static_best{};  ///< the configuration that was found before; empty: it is looked for
  int seeds = 10;
  std::uint64_t first_seed = 1;
  std::vector<std::uint64_t> seed_list{};     ///< all of them, where they do not follow the first
  std::function<void(double done)> progress;  ///< 0 to 1, on the calling thread; may be empty
  const std::atomic<bool>* stop = nullptr;    ///< true: end soon, with the seeds that are complete
  unsigned threads = 2;                       ///< the results do not depend on it
  PlatformFactory make_platform = simulate;

  std::uint64_t seed(std::size_t s) const { return nth_seed(first_seed, seed_list, s); }
};

struct PolicyResult {
  std::string policy;
  std::string
      agent;  ///< the policy with its argument: of static_best, the configuration that was found
  std::vector<Metrics> per_seed;  ///< the same seeds for every policy, ascending
};

struct Comparison {
  std::vector<PolicyResult> policies;  ///< one per listed policy, in order
  std::vector<Bounds> bounds;          ///< per seed
  std::string no_bound_reason;         ///< empty: there is a lower bound
};

/// Whether nobody asks for accuracy or low latency in place of little energy, at any time. Where
/// somebody does, energies are held against nothing.
bool energy_is_wanted(const Scenario& scenario);

/// Runs every policy on the same seeds in simulation. For the gaps the oracle runs too, and `model` and
/// `planner` with the truth for a belief, listed or not. Each run starts with an agent of its own, so
/// seeds are independent; those that learn go on learning. Of plain load `powersave` and `performance`
/// run instead, for the efficiency, which is NaN where these two lose the same slack. "static_best" is
/// searched on the same seeds (hindsight.h). Everything but decide_p50_ns depends on the seeds alone. Throws Error.
Comparison compare_with_bounds(const PlatformSpec& platform, const Scenario& scenario,
                               const CompareOptions& options);
/// The same, for those who want the policies' figures.
std::vector<PolicyResult> compare(const PlatformSpec& platform, const Scenario& scenario,
                                  const CompareOptions& options);

}  // namespace flyball
