#include "governor/cli/views/power_figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace flyball::cli {
namespace {

/// Adds those samples of which `wanted` holds, of very many every n-th; whether it was all of them.
template <class Wanted>
bool add_samples(const SampleLog& log, const Wanted& wanted, report::Series& series) {
  constexpr std::size_t kMost = 5000;
  const auto all =
      static_cast<std::size_t>(std::count_if(log.samples.begin(), log.samples.end(), wanted));
  const std::size_t every = std::max<std::size_t>(1, (all + kMost - 1) / kMost);
  std::size_t i = 0;
  for (const Sample& sample : log.samples) {
    if (!wanted(sample) || i++ % every != 0) continue;
    series.x.push_back(sample.mhz);
    series.y.push_back(sample.power_mw / 1e3);
  }
  return every == 1;
}

}  // namespace

report::Figure power_figure(const SampleLog& log, const std::vector<SampledPoint>& points) {
  report::Figure figure{.name = "power_clock",
                        .title = "Power at each clock",
                        .caption = "",
                        .x = {"clock", "MHz"},
                        .y = {"power", "W"}};
  using Kind = report::Series::Kind;
  std::vector<std::string> units;
  bool all = true;
  for (const SampledPoint& point : points)
    if (std::find(units.begin(), units.end(), point.unit) == units.end())
      units.push_back(point.unit);
  for (std::size_t u = 0; u < units.size(); ++u) {
    report::Series samples{.name = units[u], .kind = Kind::kPoints, .colour = static_cast<int>(u)};
    report::Series medians{
        .name = units[u] + ", median", .kind = Kind::kLine, .colour = static_cast<int>(u)};
    const auto of_unit = [&](const Sample& one) { return one.used && one.unit == units[u]; };
    all &= add_samples(log, of_unit, samples);
    for (const SampledPoint& point : points) {
      if (point.unit != units[u]) continue;
      medians.x.push_back(point.mhz);
      medians.y.push_back(point.power_mw / 1e3);
    }
    figure.series.push_back(std::move(samples));
    figure.series.push_back(std::move(medians));
  }
  report::Series wrong{.name = "flagged", .kind = Kind::kPoints, .colour = -3};
  all &= add_samples(
      log, [](const Sample& one) { return !one.used; }, wrong);
  if (!wrong.x.empty()) figure.series.push_back(std::move(wrong));
  figure.caption = fmt::format(
      "{}; crosses cannot be true and are not used. Lines join the medians.",
      all ? "Every sample that was read" : "Some of the samples that were read, evenly chosen");
  return figure;
}

}  // namespace flyball::cli
