#include "governor/compare/compare.h"

#include <algorithm>

#include "governor/compare/contest.h"
#include "governor/compare/matrix.h"

namespace flyball {

bool energy_is_wanted(const Scenario& scenario) {
  const auto for_energy = [](const Requirements& one) {
    return one.objective == Objective::kEnergy;
  };
  return std::ranges::all_of(scenario.apps, for_energy, &AppSpec::required) &&
         std::ranges::all_of(scenario.events, [&](const ScenarioEvent& event) {
           return event.kind != ScenarioEvent::Kind::kRequirements || for_energy(event.required);
         });
}

Comparison compare_with_bounds(const PlatformSpec& platform, const Scenario& scenario,
                               const CompareOptions& options) {
  Comparison comparison;
  for (const PolicyChoice& choice : options.policies)
    comparison.policies.push_back({choice.policy, choice.policy, {}});
  MatrixCell cell{&platform, &scenario, options, {}};
  for (int s = 0; s < options.seeds; ++s) cell.seeds.push_back(static_cast<std::size_t>(s));
  std::vector<std::optional<SeedFigures>> found(cell.seeds.size());
  MatrixProgress progress;
  progress.on_prepared = [&](std::size_t, const Contest& contest) {
    comparison.no_bound_reason = contest.why_no_bound();
    const std::vector<std::string> agents = contest.agents();
    for (std::size_t p = 0; p < agents.size(); ++p) comparison.policies[p].agent = agents[p];
  };
  progress.on_seed = [&](std::size_t, std::size_t seed, const SeedFigures& figures) {
    found[seed] = figures;
  };
  progress.done = options.progress;
  run_matrix({std::move(cell)}, options.threads, options.stop, progress);
  // Seeds that some policy did not complete are left out.
  for (const auto& seed : found) {
    if (!seed) continue;
    for (std::size_t p = 0; p < seed->policies.size(); ++p)
      comparison.policies[p].per_seed.push_back(seed->policies[p]);
    if (seed->bounds) comparison.bounds.push_back(*seed->bounds);
  }
  return comparison;
}

std::vector<PolicyResult> compare(const PlatformSpec& platform, const Scenario& scenario,
                                  const CompareOptions& options) {
  return compare_with_bounds(platform, scenario, options).policies;
}

}  // namespace flyball
