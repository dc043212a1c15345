#include "governor/compare/lower_hull.h"

#include <algorithm>
#include <limits>

namespace flyball {
namespace {

/// The pace that earns most at a price; of equally good ones the fastest.
const Pace& best_at(std::span<const Pace> hull, double price_mj) {
  std::size_t i = 0;
  while (i + 1 < hull.size() && hull_slope(hull[i], hull[i + 1]) <= price_mj) ++i;
  return hull[i];
}

}  // namespace

std::vector<Pace> lower_hull(std::vector<Pace> paces) {
  paces.push_back({0, 0});
  std::ranges::sort(paces, [](const Pace& a, const Pace& b) {
    return a.work_per_s != b.work_per_s ? a.work_per_s < b.work_per_s : a.excess_mw < b.excess_mw;
  });
  std::vector<Pace> hull;
  for (const Pace& pace : paces) {
    if (!hull.empty() && pace.work_per_s == hull.back().work_per_s) continue;
    while (hull.size() > 1 &&
           hull_slope(hull[hull.size() - 2], hull.back()) >= hull_slope(hull.back(), pace))
      hull.pop_back();
    hull.push_back(pace);
  }
  return hull;
}

double least_energy_mj(double work, std::span<const Stretch> stretches) {
  double most = 0;
  std::vector<double> prices;
  for (const Stretch& stretch : stretches) {
    most += stretch.seconds * stretch.hull.back().work_per_s;
    for (std::size_t i = 1; i < stretch.hull.size(); ++i)
      prices.push_back(hull_slope(stretch.hull[i - 1], stretch.hull[i]));
  }
  if (most < work) return std::numeric_limits<double>::infinity();
  std::ranges::sort(prices);
  const auto done_at = [&](double price) {
    double done = 0;
    for (const Stretch& stretch : stretches)
      done += stretch.seconds * best_at(stretch.hull, price).work_per_s;
    return done;
  };
  const auto enough =
      std::ranges::partition_point(prices, [&](double price) { return done_at(price) < work; });
  if (enough == prices.end()) return 0;  // no work at all
  double energy_mj = *enough * work;
  for (const Stretch& stretch : stretches) {
    const Pace& pace = best_at(stretch.hull, *enough);
    energy_mj -= stretch.seconds * (*enough * pace.work_per_s - pace.excess_mw);
  }
  return energy_mj;
}

}  // namespace flyball
