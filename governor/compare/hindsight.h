#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "env/spaces/action.h"
#include "governor/compare/seed_list.h"
#include "governor/compare/simulation.h"

namespace flyball {

struct HindsightOptions {
  int seeds = 1;
  std::uint64_t first_seed = 1;
  std::vector<std::uint64_t> seed_list{};  ///< as in CompareOptions
  int budget = 160;  ///< simulated runs on the first seed; the finalists run on the others as well
  unsigned threads = 2;
  PlatformFactory make_platform = simulate;
  std::function<void(double done)> progress;  ///< 0 to 1, on the calling thread; may be empty
  const std::atomic<bool>* stop = nullptr;

  std::uint64_t seed(std::size_t s) const { return nth_seed(first_seed, seed_list, s); }
};

struct HindsightResult {
  Action action;
  double reward = 0;  ///< mean over the seeds of the sum over a run
  int runs = 0;
};

/// The single best configuration in hindsight (`static_best`): of those tried, the one whose sum of
/// rewards, averaged over the seeds, is highest, which is what every policy is paid for.
///
/// Not all are tried (an Exynos 5422 with two applications has two million). The model ranks every
/// combination of frequencies, each application in the mapping and level that is cheapest there and
/// on time with a margin; the cheapest few for each of six margins (1 to 3 times the job's time)
/// run on the first seed, since a scenario's variation and other load, which the model leaves out,
/// decide which margin pays. The best of them is improved knob by knob while the budget lasts. The
/// finalists run on all seeds.
HindsightResult best_in_hindsight(const PlatformSpec& platform, const Scenario& scenario,
                                  const HindsightOptions& options);

}  // namespace flyball
