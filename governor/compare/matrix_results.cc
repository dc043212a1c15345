#include "governor/compare/matrix_results.h"

#include <fmt/format.h>

namespace flyball {

std::size_t MatrixResults::units_of_shard() const {
  std::size_t count = 0;
  for (std::size_t unit = 0; unit < units(); ++unit) count += shard.has(unit);
  return count;
}

Comparison MatrixResults::comparison(std::size_t cell) const {
  const CellContext& context = cells[cell];
  Comparison comparison;
  comparison.no_bound_reason = context.no_bound_reason;
  for (std::size_t p = 0; p < policies.size(); ++p)
    comparison.policies.push_back(
        {policies[p], p < context.agents.size() ? context.agents[p] : policies[p], {}});
  for (int s = 0; s < seeds; ++s) {
    const auto found = seeds_done.find({cell, static_cast<std::size_t>(s)});
    if (found == seeds_done.end()) continue;
    for (std::size_t p = 0; p < policies.size(); ++p)
      comparison.policies[p].per_seed.push_back(found->second.policies[p]);
    if (found->second.bounds) comparison.bounds.push_back(*found->second.bounds);
  }
  return comparison;
}

std::string other_comparison(const MatrixResults& one, const MatrixResults& other) {
  const auto differs = [](std::string_view what, const auto& a, const auto& b) {
    return fmt::format("{} {} there, {} here", what, a, b);
  };
  if (one.build != other.build) return differs("it was made by build", one.build, other.build);
  if (one.policies != other.policies)
    return differs("policies are", fmt::format("{}", fmt::join(one.policies, ",")),
                   fmt::format("{}", fmt::join(other.policies, ",")));
  if (one.against != other.against)
    return differs("policies are held against", one.against, other.against);
  if (one.seeds != other.seeds) return differs("seeds are", one.seeds, other.seeds);
  if (one.first_seed != other.first_seed)
    return differs("the first seed is", one.first_seed, other.first_seed);
  if (one.search != other.search) return "one of the two is with --bounds";
  if (one.times != other.times) return "one of the two is with --times";
  if (one.cells.size() != other.cells.size())
    return differs("platforms times scenarios are", one.cells.size(), other.cells.size());
  for (std::size_t c = 0; c < one.cells.size(); ++c) {
    const CellContext &a = one.cells[c], &b = other.cells[c];
    const std::string name = fmt::format("{} on {}", a.scenario, a.platform);
    if (a.platform != b.platform || a.scenario != b.scenario)
      return differs("it has", name, fmt::format("{} on {}", b.scenario, b.platform));
    if (a.inputs != b.inputs) return fmt::format("files or learned policies of {} differ", name);
  }
  return "";
}

}  // namespace flyball
