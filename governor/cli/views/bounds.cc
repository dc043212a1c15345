#include "governor/cli/views/bounds.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "governor/cli/table.h"

namespace flyball::cli {
namespace {

Estimate over_seeds(const Comparison& comparison, double (*figure)(const Bounds&)) {
  std::vector<double> values;
  for (const Bounds& one : comparison.bounds) values.push_back(figure(one));
  return estimate(values);
}

double lower(const Bounds& one) { return one.lower_mj / one.jobs_met; }
double best_found(const Bounds& one) { return one.best_found_mj / one.jobs_met; }
double informed(const Bounds& one) { return one.informed_mj / one.jobs_met; }
double width_pct(const Bounds& one) {
  return one.jobs_met > 0 ? 100 * (one.best_found_mj / one.lower_mj - 1) : NAN;
}
constexpr const char* kNothingMet =
    "the best schedule found meets no job, in one of the seeds at least";
bool any_unmet(const Comparison& comparison) {
  return std::ranges::any_of(comparison.bounds,
                             [](const Bounds& one) { return !(one.jobs_met > 0); });
}

std::map<std::string, int> seeds_of(const Comparison& comparison, std::string Bounds::*whose) {
  std::map<std::string, int> seeds;
  for (const Bounds& one : comparison.bounds)
    if (!(one.*whose).empty()) ++seeds[one.*whose];
  return seeds;
}

std::string whose_text(const Comparison& comparison, std::string Bounds::*whose) {
  const std::map<std::string, int> seeds = seeds_of(comparison, whose);
  std::string text;
  for (const auto& [name, count] : seeds) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", name);
    if (seeds.size() > 1) text += fmt::format(" on {} seed{}", count, count == 1 ? "" : "s");
  }
  return text;
}

Json bound_json(const Estimate& figure) {
  return {{"mean", number_or_null(figure.mean)},
          {"ci95", {number_or_null(figure.lo), number_or_null(figure.hi)}}};
}

}  // namespace

Json bounds_json(const Comparison& comparison) {
  return {{"lower_bound_mj_per_job", bound_json(over_seeds(comparison, lower))},
          {"best_found_mj_per_job", bound_json(over_seeds(comparison, best_found))},
          {"informed_mj_per_job", bound_json(over_seeds(comparison, informed))},
          {"width_pct", bound_json(over_seeds(comparison, width_pct))},
          {"best_found_by", seeds_of(comparison, &Bounds::best_found)},
          {"informed_by", seeds_of(comparison, &Bounds::informed)},
          {"no_bound_reason", !comparison.no_bound_reason.empty() ? Json(comparison.no_bound_reason)
                              : any_unmet(comparison)             ? Json(kNothingMet)
                                                                  : Json(nullptr)}};
}

std::string bounds_text(const Comparison& comparison) {
  if (comparison.bounds.empty()) return "";
  if (any_unmet(comparison)) return fmt::format("No lower bound: {}.", kNothingMet);
  std::string text;
  if (comparison.no_bound_reason.empty()) {
    text = fmt::format(
        "Lower bound: whoever meets the jobs that the best schedule found meets takes at least {} "
        "mJ for each; that schedule ({}) takes {}, {} % more.",
        fixed(over_seeds(comparison, lower).mean, 2), whose_text(comparison, &Bounds::best_found),
        fixed(over_seeds(comparison, best_found).mean, 2),
        fixed(over_seeds(comparison, width_pct).mean, 2));
  } else {
    text = fmt::format("No lower bound: {}. The best schedule found ({}) takes {} mJ a job.",
                       comparison.no_bound_reason, whose_text(comparison, &Bounds::best_found),
                       fixed(over_seeds(comparison, best_found).mean, 2));
  }
  if (std::ranges::all_of(comparison.bounds, [](auto& one) { return one.informed.empty(); }))
    return text;
  return text + fmt::format(" Best that knows the board but not the future: {}, {} mJ.",
                            whose_text(comparison, &Bounds::informed),
                            fixed(over_seeds(comparison, informed).mean, 2));
}

}  // namespace flyball::cli
