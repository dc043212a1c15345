#include "governor/report/ticks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace flyball::report {
namespace {

std::vector<Tick> linear(double from, double to, int count) {
  const double rough = (to - from) / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (factor * power >= rough) step = factor * power;
  std::vector<Tick> ticks;
  // By index: a sum of steps drifts.
  const double first = std::ceil(from / step - 1e-9);
  for (int k = 0; k <= 2 * count + 2; ++k) {
    const double at = (first + k) * step;
    if (!(at <= to + 1e-9 * step)) break;
    ticks.push_back({at, fmt::format("{:.6g}", first + k == 0 ? 0.0 : at)});
  }
  return ticks;
}

std::vector<Tick> logarithmic(double from, double to) {
  const bool wide = to / from > 300;
  std::vector<Tick> ticks;
  const double last = std::min(std::log10(to), std::log10(from) + 700);
  for (double power = std::floor(std::log10(from)); power <= last; ++power) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double value = factor * std::pow(10, power);
      if (value >= from && value <= to && (!wide || factor == 1))
        ticks.push_back({value, fmt::format("{:.6g}", value)});
    }
  }
  return ticks.size() < 2 ? linear(from, to, 5) : ticks;
}

}  // namespace

std::vector<Tick> ticks(const Axis& axis, double from, double to, int count) {
  if (axis.categories.empty()) return axis.log ? logarithmic(from, to) : linear(from, to, count);
  std::vector<Tick> ticks;
  const std::size_t every = axis.categories.size() / 20 + 1;
  for (std::size_t i = 0; i < axis.categories.size(); i += every)
    ticks.push_back({static_cast<double>(i), axis.categories[i]});
  return ticks;
}

}  // namespace flyball::report
