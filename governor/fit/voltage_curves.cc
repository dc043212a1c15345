#include "governor/fit/voltage_curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "governor/fit/least_squares.h"

namespace flyball {
namespace {

constexpr double kTopMv = 1000;  // assumed
constexpr double kLeastRatio =
    0.4;  // of the lowest voltage to the highest: 0.55 V to 1.2 V are as far as boards go
constexpr std::size_t kMaxKnees = 32;  // tried, of boards with more clocks
constexpr double kRatioStep = 0.05;

void interpolate(std::vector<FittedOpp>& opps) {
  std::vector<FittedOpp> known;
  for (const FittedOpp& opp : opps)
    if (opp.mv > 0) known.push_back(opp);
  for (FittedOpp& opp : opps) {
    if (opp.mv > 0) continue;
    const auto above = std::find_if(known.begin(), known.end(),
                                    [&](const FittedOpp& other) { return other.khz > opp.khz; });
    if (above == known.begin()) {
      opp.mv = above->mv;
    } else if (above == known.end()) {
      opp.mv = known.back().mv;
    } else {
      const FittedOpp& below = *(above - 1);
      opp.mv = below.mv + (above->mv - below.mv) * static_cast<double>(opp.khz - below.khz) /
                              static_cast<double>(above->khz - below.khz);
    }
  }
}

std::vector<std::vector<double>> assumed(const std::vector<FittedOpp>& opps, int& freedom) {
  const auto n = opps.size();
  freedom = n < 3 ? 0 : n < 6 ? 1 : n < 8 ? 2 : 3;
  std::vector<std::vector<double>> curves = {std::vector<double>(n, kTopMv)};
  if (freedom == 0) return curves;
  const double top = static_cast<double>(opps.back().khz);
  for (const double order : {1.0, 2.0}) {
    if (order > 1 && freedom < 3) break;
    // The knee is the last clock at the lowest voltage.
    for (std::size_t knee = 0; knee + 2 < n; knee += 1 + n / kMaxKnees) {
      if (knee > 0 && freedom < 2) break;
      const double bottom = static_cast<double>(opps[knee].khz);
      for (double ratio = 1 - kRatioStep; ratio > kLeastRatio - 1e-9; ratio -= kRatioStep) {
        std::vector<double> curve;
        for (const FittedOpp& opp : opps) {
          const double x = std::max(0.0, (static_cast<double>(opp.khz) - bottom) / (top - bottom));
          curve.push_back(kTopMv * (ratio + (1 - ratio) * std::pow(x, order)));
        }
        curves.push_back(std::move(curve));
      }
    }
  }
  return curves;
}

}  // namespace

VoltageCurves voltage_curves(FittedPlatform& platform, FittedCluster& cluster,
                             const Voltages& listed) {
  std::map<long, std::vector<double>> measured;
  bool any_measured = false;
  for (const FittedRow& row : cluster.rows) {
    std::vector<double>& of = measured[std::lround(row.measured.mhz * 1e3)];
    if (row.measured.voltage_mv) {
      of.push_back(*row.measured.voltage_mv);
      any_measured = true;
    }
  }
  int missing = 0, known = 0;
  cluster.opps.clear();
  for (const auto& [khz, values] : measured) {
    FittedOpp opp{khz, 0};
    if (any_measured) {
      if (!values.empty()) opp.mv = median_of(values);
    } else if (const auto found = listed.find({cluster.name, khz}); found != listed.end()) {
      opp.mv = found->second;
    }
    opp.mv > 0 ? ++known : ++missing;
    cluster.opps.push_back(opp);
  }
  VoltageCurves curves;
  if (known == 0) {
    cluster.voltage_source = VoltageSource::kAssumed;
    if (!listed.empty())
      platform.notes.push_back(
          fmt::format("{}: the voltages name none of its clocks.", cluster.name));
    curves.mv = assumed(cluster.opps, curves.freedom);
    return curves;
  }
  cluster.voltage_source = any_measured ? VoltageSource::kMeasured : VoltageSource::kListed;
  if (missing > 0) {
    interpolate(cluster.opps);
    platform.notes.push_back(
        fmt::format("{}: no voltage is known of {} of its {} clocks; taken from their neighbours.",
                    cluster.name, missing, cluster.opps.size()));
  }
  for (std::size_t i = 1; i < cluster.opps.size(); ++i) {
    FittedOpp& opp = cluster.opps[i];
    const double before = cluster.opps[i - 1].mv;
    if (opp.mv >= before) continue;
    platform.notes.push_back(
        fmt::format("{}: {:g} mV at {:g} MHz are below those of the clock before; {:g} are taken.",
                    cluster.name, opp.mv, static_cast<double>(opp.khz) / 1e3, before));
    opp.mv = before;
  }
  std::vector<double> curve;
  for (const FittedOpp& opp : cluster.opps) curve.push_back(opp.mv);
  curves.mv = {std::move(curve)};
  return curves;
}

}  // namespace flyball
