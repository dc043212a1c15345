#include "governor/import/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "governor/fit/fit.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr double kColdestC = -55, kHottestC = 150;  // beyond which no chip works
constexpr double kMargin = 1.5;  // over what energy a cycle of higher clocks allows
constexpr double kAboveFaster = 1.25;
constexpr double kWildMargin = 2.5,
                 kAboveOwn = 3;     // the same, where others at that clock take far less
constexpr std::size_t kEnough = 3;  // samples of higher clocks
// A clock that never moves has no others to be held against: no CPU cluster of a board takes as much
// as this at a clock below half a gigahertz (the Exynos 5422's four A15 take 1.6 to 3.3 nJ a cycle).
constexpr double kMostNjPerCycle = 10, kLowMhz = 500, kMuchMw = 2000;
constexpr double kSteady = 1.5;  // most over least power of a steady load

double quantile(std::vector<double> values, double share) {
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

struct OfClock {
  std::vector<double> power_mw;
  double least_mw = INFINITY;
  double high_mw = 0;  ///< that nearly all of its samples stay below
  // Of all higher clocks: how many samples, the most energy a cycle, and who stays below the least.
  std::size_t faster = 0;
  double most_mj = 0, faster_mw = INFINITY, slower_than = 0;
};

/// From the highest down, so that it takes as long as there are clocks.
void look_at_higher(std::map<double, OfClock>& clocks, double floor_mw) {
  OfClock above;
  for (auto at = clocks.rbegin(); at != clocks.rend(); ++at) {
    auto& [mhz, of] = *at;
    of.high_mw = quantile(of.power_mw, 0.9);
    of.faster = above.faster;
    of.most_mj = above.most_mj;
    of.faster_mw = above.faster_mw;
    of.slower_than = above.slower_than;
    above.faster += of.power_mw.size();
    above.most_mj = std::max(above.most_mj, (of.high_mw - floor_mw) / mhz);
    if (of.high_mw > above.faster_mw) continue;
    above.faster_mw = of.high_mw;
    above.slower_than = mhz;
  }
}

struct Disagreeing {
  std::vector<const Sample*> samples;
  double least_mw = INFINITY, most_mw = 0, slower_than = 0, faster_mw = 0, own_mw = 0;
};

/// Power is the floor's and an energy for each cycle, which voltage makes greater at higher clocks.
/// So a clock cannot take more energy a cycle than all higher ones did, nor more power than one of
/// them at its busiest: then the clock that was read is stuck, or power lags behind it.
void check_clocks(const SampleLog& log, const std::string& unit,
                  const std::vector<Sample*>& samples, ImportFlags& flags) {
  std::map<double, OfClock> clocks;
  double floor_mw = INFINITY;
  const bool gpu = unit.find("gpu") != unit.npos || unit.find("GPU") != unit.npos ||
                   unit.find("Mali") != unit.npos || unit.find("mali") != unit.npos;
  for (const Sample* sample : samples) {
    OfClock& of = clocks[sample->mhz];
    of.power_mw.push_back(sample->power_mw);
    of.least_mw = std::min(of.least_mw, sample->power_mw);
    floor_mw = std::min(floor_mw, sample->power_mw);
  }
  look_at_higher(clocks, floor_mw);
  std::map<double, Disagreeing> wrong;
  for (Sample* sample : samples) {
    const double mhz = sample->mhz, power_mw = sample->power_mw;
    const OfClock& of = clocks.at(mhz);
    const bool alone = clocks.size() == 1 && mhz < kLowMhz && power_mw > kMuchMw &&
                       power_mw > kMostNjPerCycle * mhz;
    const bool above_faster =
        power_mw > kAboveFaster * of.faster_mw && power_mw > floor_mw + kMargin * of.most_mj * mhz;
    // A GPU's memory may take much at any clock.
    const bool above_own = !gpu && power_mw > kAboveOwn * of.least_mw &&
                           power_mw > floor_mw + kWildMargin * of.most_mj * mhz;
    if (!alone && (of.faster < kEnough || !(above_faster || above_own))) continue;
    sample->used = false;
    Disagreeing& at = wrong[mhz];
    at.samples.push_back(sample);
    at.least_mw = std::min(at.least_mw, power_mw);
    at.most_mw = std::max(at.most_mw, power_mw);
    at.slower_than = of.slower_than;
    at.faster_mw = of.faster_mw;
    at.own_mw = of.least_mw;
  }
  for (const auto& [mhz, at] : wrong) {
    const std::string power =
        at.most_mw > 1.005 * at.least_mw
            ? fmt::format("{:.3g} to {:.3g} W", at.least_mw / 1e3, at.most_mw / 1e3)
            : fmt::format("{:.3g} W", at.most_mw / 1e3);
    std::string why = fmt::format("a clock of {:g} MHz beside {}", mhz, power);
    if (at.slower_than == 0)
      why += fmt::format(" throughout: it is stuck, no unit takes {:g} nJ a cycle there",
                         at.most_mw / mhz);
    else if (at.least_mw > kAboveFaster * at.faster_mw)
      why += fmt::format(
          ", where {:g} MHz takes at most {:.3g} W: it is stuck, or power lags behind it",
          at.slower_than, at.faster_mw / 1e3);
    else
      why += fmt::format(
          ", where others there take {:.3g} W and {:g} MHz at most {:.3g} W: it is stuck, "
          "or power lags behind it",
          at.own_mw / 1e3, at.slower_than, at.faster_mw / 1e3);
    for (const Sample* sample : at.samples)
      flags.add(log.files[static_cast<std::size_t>(sample->file)], sample->line, why);
  }
}

}  // namespace

void check_samples(SampleLog& log, ImportFlags& flags) {
  std::map<std::string, std::vector<Sample*>> units;
  for (Sample& sample : log.samples) {
    const std::string& file = log.files[static_cast<std::size_t>(sample.file)];
    if (sample.power_mw <= 0) {
      sample.used = false;
      flags.add(file, sample.line, fmt::format("a power of {:g} W", sample.power_mw / 1e3));
    } else if (sample.temp_c < kColdestC || sample.temp_c > kHottestC) {
      sample.used = false;
      flags.add(file, sample.line, fmt::format("a temperature of {:g} C", sample.temp_c));
    } else {
      units[sample.unit].push_back(&sample);
    }
  }
  for (const auto& [unit, samples] : units) {
    double most_nj = 0;
    for (const Sample* sample : samples)
      most_nj = std::max(most_nj, sample->power_mw / sample->mhz);
    check_power_unit(unit, most_nj);
    check_clocks(log, unit, samples, flags);
  }
  if (std::none_of(log.samples.begin(), log.samples.end(),
                   [](const Sample& sample) { return sample.used; })) {
    const ImportFlag& first = flags.all().front();
    input_error(flag_line(first), "nothing is left that could be used", "measure it again");
  }
}

std::vector<SampledPoint> sampled_points(SampleLog& log) {
  std::map<std::tuple<std::string, int, double>,
           std::pair<std::vector<double>, std::vector<double>>>
      groups;
  for (const Sample& sample : log.samples) {
    if (!sample.used) continue;
    auto& [power, temp] = groups[{sample.unit, sample.cores, sample.mhz}];
    power.push_back(sample.power_mw);
    if (std::isfinite(sample.temp_c)) temp.push_back(sample.temp_c);
  }
  std::vector<SampledPoint> points;
  std::size_t uneven = 0;
  for (const auto& [key, values] : groups) {
    const auto& [power, temp] = values;
    SampledPoint point;
    std::tie(point.unit, point.cores, point.mhz) = key;
    point.power_mw = quantile(power, 0.5);
    point.temp_c = temp.empty() ? NAN : quantile(temp, 0.5);
    point.samples = power.size();
    if (quantile(power, 0.9) > kSteady * quantile(power, 0.1)) ++uneven;
    points.push_back(std::move(point));
  }
  if (uneven > 0)
    log.notes.push_back(fmt::format(
        "At {} of {} operating points power varies by more than half: the load was not the same "
        "throughout, and the median is of a mixture.",
        uneven, points.size()));
  return points;
}

std::string point_table(const SampleLog& log, const std::vector<SampledPoint>& points) {
  std::string text = "# Made by 'flyball import': medians of the samples at each clock, of";
  for (const std::string& file : log.files) text += ' ' + printable(file);
  const bool temp = std::any_of(points.begin(), points.end(),
                                [](const SampledPoint& p) { return std::isfinite(p.temp_c); });
  text += fmt::format("\nunit,mhz{},power_mw{}\n", log.has_cores ? ",cores" : "",
                      temp ? ",temp_c" : "");
  for (const SampledPoint& point : points) {
    text += fmt::format("{},{:.10g}", point.unit, point.mhz);
    if (log.has_cores) text += fmt::format(",{}", point.cores);
    text += fmt::format(",{:.6g}", point.power_mw);
    if (temp) text += std::isfinite(point.temp_c) ? fmt::format(",{:.4g}", point.temp_c) : ",";
    text += '\n';
  }
  return text;
}

}  // namespace flyball
