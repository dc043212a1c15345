#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "governor/report/sections.h"

namespace flyball::report {

// E. D. Dolan and J. J. More, "Benchmarking optimization software with performance profiles",
// Mathematical Programming 91, 2002. A run that is late never counts as within anything.
Section profile_section(const std::vector<ComparedRun>& runs, const Options& options,
                        Colours& colours) {
  std::map<std::string, double> best;                 // of each problem
  std::map<std::string, std::vector<double>> ratios;  // of each policy
  std::map<std::string, std::size_t> counts;
  for (const ComparedRun& run : runs) {
    const auto problem = best.emplace(run.problem, INFINITY).first;
    if (run.on_time && run.energy_mj_per_job > 0)
      problem->second = std::min(problem->second, run.energy_mj_per_job);
    ++counts[run.policy];
  }
  for (const ComparedRun& run : runs)
    if (run.on_time && run.energy_mj_per_job > 0)
      ratios[run.policy].push_back(run.energy_mj_per_job / best[run.problem]);
  Section section;
  if (best.size() < 2 || ratios.empty()) return section;
  section.title = "All comparisons together";
  section.notes.push_back(fmt::format(
      "{} problems, a problem being a platform with a scenario and a seed.", best.size()));
  Figure figure{"performance_profile",
                "Performance profiles",
                fmt::format("Share of the problems in which a policy kept its deadlines (at most "
                            "{:g} % of the jobs that could be met missed) and needed at most so "
                            "many times the energy of the best one. Higher and further left is "
                            "better.",
                            options.max_miss_pct),
                {"energy as a multiple of the best", "", true},
                {"share of problems", "%"}};
  double furthest = 1.02;
  for (auto& [policy, of] : ratios) {
    std::ranges::sort(of);
    furthest = std::max(furthest, of.back());
  }
  for (const auto& [policy, count] : counts) {
    Series one{policy, Series::Kind::kSteps, colours.of(policy)};
    const std::vector<double>& of = ratios[policy];
    const double share = 100 / static_cast<double>(count);
    for (std::size_t i = 0; i < of.size(); ++i) {
      if (i + 1 < of.size() && of[i + 1] == of[i]) continue;
      if (one.x.empty() && of[i] > 1) one.x.push_back(1), one.y.push_back(0);
      one.x.push_back(of[i]);
      one.y.push_back(share * static_cast<double>(i + 1));
    }
    if (one.x.empty()) one.x.push_back(1), one.y.push_back(0);
    if (one.x.back() < furthest) one.x.push_back(furthest), one.y.push_back(one.y.back());
    figure.series.push_back(std::move(one));
  }
  section.figures.push_back(std::move(figure));
  return section;
}

}  // namespace flyball::report
