#include "governor/compare/price_table.h"

#include <algorithm>

namespace flyball {
namespace {

/// What a way earns as a function of the second price.
struct Line {
  double slope, intercept;
  double at(double x) const { return slope * x + intercept; }
};

/// Whether the middle one of three lines of ascending slopes is nowhere above both others.
bool hidden(const Line& low, const Line& middle, const Line& high) {
  return (high.intercept - low.intercept) * (middle.slope - low.slope) >=
         (middle.intercept - low.intercept) * (high.slope - low.slope);
}

}  // namespace

PriceTable::PriceTable(std::vector<JointPace>& paces, std::span<const double> prices_a,
                       std::span<const double> prices_b)
    : columns_(prices_b.size()), earned_mw_(prices_a.size() * prices_b.size(), 0.0) {
  std::ranges::sort(paces, {}, &JointPace::work_b_per_s);
  std::vector<Line> envelope;
  for (std::size_t a = 0; a < prices_a.size(); ++a) {
    envelope.clear();
    for (const JointPace& pace : paces) {
      const Line line{pace.work_b_per_s, prices_a[a] * pace.work_a_per_s - pace.excess_mw};
      if (!envelope.empty() && envelope.back().slope == line.slope) {
        if (envelope.back().intercept >= line.intercept) continue;
        envelope.pop_back();
      }
      while (envelope.size() > 1 && hidden(envelope[envelope.size() - 2], envelope.back(), line))
        envelope.pop_back();
      envelope.push_back(line);
    }
    std::size_t best = 0;
    for (std::size_t b = 0; b < columns_; ++b) {
      while (best + 1 < envelope.size() &&
             envelope[best + 1].at(prices_b[b]) >= envelope[best].at(prices_b[b]))
        ++best;
      double& earned = earned_mw_[a * columns_ + b];
      if (best < envelope.size()) earned = std::max(earned, envelope[best].at(prices_b[b]));
    }
  }
}

void PriceTable::raise(std::span<const double> earned_a, std::span<const double> earned_b,
                       double excess_mw) {
  if (earned_a.back() + earned_b.back() <= excess_mw) return;  // they grow with the price
  for (std::size_t a = 0; a < earned_a.size(); ++a) {
    double* const row = &earned_mw_[a * columns_];
    const double base_mw = earned_a[a] - excess_mw;
    for (std::size_t b = 0; b < columns_; ++b) row[b] = std::max(row[b], base_mw + earned_b[b]);
  }
}

}  // namespace flyball
