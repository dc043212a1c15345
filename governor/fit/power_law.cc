#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "governor/fit/fit.h"
#include "governor/fit/least_squares.h"
#include "governor/fit/voltage_curves.h"

namespace flyball {
namespace {

constexpr double kPowerTolerance = 0.15;  // quiet tables scatter by 2 to 5 %
constexpr int kPowerRounds = 8;           // of laws, devices and widths in turn
constexpr double kLeastSpanC = 10;   // of temperatures that tell leakage from a current

/// The parameters, as columns of the design.
enum Parameter { kCore, kStatic, kUncore, kIdleCore, kLeakC, kLeakA, kParameters };

struct UnitFit {
  FittedCluster* cluster = nullptr;
  VoltageCurves curves;
  std::vector<FittedRow*> rows;
  std::vector<std::size_t> opp;  ///< of each row
  std::vector<Parameter> used;
  RobustFit fit;
  double value(Parameter parameter) const {
    const auto found = std::find(used.begin(), used.end(), parameter);
    return found == used.end() ? 0 : fit.x[found - used.begin()];
  }
  ParameterEstimate estimate(Parameter parameter) const {
    const auto found = std::find(used.begin(), used.end(), parameter);
    if (found == used.end()) return {};
    return {fit.x[found - used.begin()], fit.half_width[found - used.begin()]};
  }
};

double busy_of(const FittedPlatform& platform, const FittedCluster& cluster,
               const Measurement& row) {
  return cluster.has_time ? busy_cores(row.cores, platform.parallel_fraction.value) : row.cores;
}

double activity_of(const FittedPlatform& platform, double width_pct) {
  for (const FittedWidth& width : platform.widths)
    if (width.width_pct == width_pct) return width.activity_factor;
  return 1;
}

double factor_of(const FittedCluster& cluster, int file) {
  for (const DeviceFactor& device : cluster.devices)
    if (device.file == file) return device.factor;
  return 1;
}

/// What a unit of the parameter draws in the row's state, in mW.
double draw(const FittedPlatform& platform, const FittedCluster& cluster, const Measurement& row,
            double mv, Parameter parameter) {
  const double volts = mv / 1e3, switched = volts * volts * row.mhz;
  const double busy = busy_of(platform, cluster, row);
  const double powered = row.idle_clocked ? cluster.cores : busy;
  switch (parameter) {
    case kCore:
      return switched * busy * activity_of(platform, row.width_pct);
    case kStatic:
      return row.cores > 0 ? volts : 0;
    case kUncore:
      return switched * std::min(1.0, powered);
    case kIdleCore:
      return switched * (powered - busy);
    case kLeakC:
      return 1e3 * volts * leaking_part(powered, cluster.cores);
    case kLeakA:
      return row.temp_c
                 ? 1e3 * volts * leakage_of(*row.temp_c) * leaking_part(powered, cluster.cores)
                 : 0;
    case kParameters:
      break;
  }
  return 0;
}

std::vector<Eigen::MatrixXd> designs_of(const FittedPlatform& platform, const UnitFit& unit) {
  std::vector<Eigen::MatrixXd> designs;
  for (const std::vector<double>& curve : unit.curves.mv) {
    Eigen::MatrixXd design(static_cast<Eigen::Index>(unit.rows.size()),
                           static_cast<Eigen::Index>(unit.used.size()));
    for (std::size_t i = 0; i < unit.rows.size(); ++i)
      for (std::size_t p = 0; p < unit.used.size(); ++p)
        design(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(p)) =
            draw(platform, *unit.cluster, unit.rows[i]->measured, curve[unit.opp[i]], unit.used[p]);
    designs.push_back(std::move(design));
  }
  return designs;
}

void fit_unit(const FittedPlatform& platform, UnitFit& unit) {
  Eigen::VectorXd y(static_cast<Eigen::Index>(unit.rows.size()));
  for (std::size_t i = 0; i < unit.rows.size(); ++i) {
    const Measurement& row = unit.rows[i]->measured;
    y[static_cast<Eigen::Index>(i)] = *row.power_mw / factor_of(*unit.cluster, row.file);
  }
  unit.fit = robust_fit(designs_of(platform, unit), y, kPowerTolerance);
}

/// Which parameters the rows can tell apart.
void choose_parameters(const FittedPlatform& platform, UnitFit& unit) {
  std::set<double> busy;
  bool idle = false, clocked = false, gated = false, all_warm = true;
  double coldest = 1e9, hottest = -1e9;
  std::set<std::size_t> clocks;
  for (std::size_t i = 0; i < unit.rows.size(); ++i) {
    const Measurement& row = unit.rows[i]->measured;
    busy.insert(row.cores);
    clocks.insert(unit.opp[i]);
    idle |= row.cores == 0;
    (row.idle_clocked ? clocked : gated) = true;
    all_warm &= row.temp_c.has_value();
    coldest = std::min(coldest, row.temp_c.value_or(coldest));
    hottest = std::max(hottest, row.temp_c.value_or(hottest));
  }
  unit.used = {kCore};
  // One clock does not tell what goes with the clock from what does not.
  if (clocks.size() > 1) unit.used.push_back(kStatic);
  if (busy.size() > 1) unit.used.push_back(kUncore);
  if (clocked && (gated || idle)) unit.used.push_back(kIdleCore);
  if (idle) unit.used.push_back(kLeakC);
  unit.cluster->gate_idle_cores = gated || !clocked;
  unit.cluster->cores_vary = busy.size() > 1;
  fit_unit(platform, unit);
  if (!all_warm || hottest - coldest < kLeastSpanC || unit.rows.size() < unit.used.size() + 4)
    return;
  // Leakage goes with temperature: it has to explain more than one more parameter would by chance.
  UnitFit leaking = unit;
  leaking.used.push_back(kLeakA);
  fit_unit(platform, leaking);
  const double spare = static_cast<double>(unit.rows.size() - leaking.used.size());
  const bool pays = unit.fit.sum_of_squares > leaking.fit.sum_of_squares * (1 + 4 / spare);
  if (leaking.value(kLeakA) > 0 && pays) unit = leaking;
}

/// Devices are compared where they share clocks.
void find_devices(UnitFit& unit) {
  std::map<int, std::set<std::size_t>> clocks;
  for (std::size_t i = 0; i < unit.rows.size(); ++i)
    clocks[unit.rows[i]->measured.file].insert(unit.opp[i]);
  const auto& first = clocks.begin()->second;
  for (const auto& [file, of] : clocks) {
    const auto shared =
        std::count_if(of.begin(), of.end(), [&](std::size_t opp) { return first.contains(opp); });
    if (shared < std::min<long>(2, static_cast<long>(first.size()))) continue;
    unit.cluster->devices.push_back({file, 1, 0});
  }
  if (unit.cluster->devices.size() < 2) unit.cluster->devices.clear();
  for (DeviceFactor& device : unit.cluster->devices)
    device.rows = static_cast<int>(
        std::count_if(unit.rows.begin(), unit.rows.end(),
                      [&](const FittedRow* row) { return row->measured.file == device.file; }));
}

void update_devices(UnitFit& unit) {
  if (unit.cluster->devices.empty()) return;
  double sum = 0;
  std::vector<double> logs;
  for (const DeviceFactor& device : unit.cluster->devices) {
    std::vector<double> own;
    for (std::size_t i = 0; i < unit.rows.size(); ++i)
      if (unit.rows[i]->measured.file == device.file)
        own.push_back(-std::log1p(std::max(-0.99, unit.fit.error[static_cast<Eigen::Index>(i)])));
    logs.push_back(std::log(device.factor) + median_of(own));
    sum += logs.back();
  }
  for (std::size_t d = 0; d < logs.size(); ++d)
    unit.cluster->devices[d].factor = std::exp(logs[d] - sum / static_cast<double>(logs.size()));
}

/// How much harder a core works at a width than at full width.
void update_activities(FittedPlatform& platform, const std::vector<UnitFit>& units) {
  for (FittedWidth& width : platform.widths) {
    if (&width == &platform.widths.back()) continue;
    std::vector<double> factors;
    for (const UnitFit& unit : units) {
      if (unit.value(kCore) <= 0) continue;
      for (std::size_t i = 0; i < unit.rows.size(); ++i) {
        const Measurement& row = unit.rows[i]->measured;
        if (row.width_pct != width.width_pct || row.cores < 1) continue;
        const double own =
            unit.value(kCore) *
            draw(platform, *unit.cluster, row, unit.curves.mv[unit.fit.design][unit.opp[i]], kCore);
        const double power = *row.power_mw / factor_of(*unit.cluster, row.file);
        const double law = power * (1 + unit.fit.error[static_cast<Eigen::Index>(i)]);
        factors.push_back(width.activity_factor * (1 + (power - law) / own));
      }
    }
    if (!factors.empty()) width.activity_factor = std::clamp(median_of(factors), 0.05, 20.0);
  }
}

/// The clock whose power it is, when it is that of another one: 0 when of none.
double clock_of_power(const UnitFit& unit, std::size_t row, double power) {
  for (std::size_t other = 0; other < unit.rows.size(); ++other) {
    if (unit.opp[other] == unit.opp[row] || !unit.fit.kept[other]) continue;
    if (unit.rows[other]->measured.cores != unit.rows[row]->measured.cores) continue;
    const double law = *unit.rows[other]->measured.power_mw *
                       (1 + unit.fit.error[static_cast<Eigen::Index>(other)]);
    if (std::abs(law / power - 1) < 0.05) return unit.rows[other]->measured.mhz;
  }
  return 0;
}

void judge(UnitFit& unit) {
  for (std::size_t i = 0; i < unit.rows.size(); ++i) {
    FittedRow& row = *unit.rows[i];
    const double power = *row.measured.power_mw;
    const double error = unit.fit.error[static_cast<Eigen::Index>(i)];
    row.law_mw = power / factor_of(*unit.cluster, row.measured.file) * (1 + error);
    if (unit.fit.kept[i]) continue;
    const double law = row.law_mw * factor_of(*unit.cluster, row.measured.file);
    row.rejected = fmt::format("draws {:.4g} mW where its unit's law makes {:.4g}", power, law);
    // A time that suits the clock says that the clock was not stuck.
    const double clock = row.law_ms > 0 ? 0 : clock_of_power(unit, i, power);
    if (clock > 0)
      row.rejected += fmt::format(
          ": that is the power of {:g} MHz, so the clock may have been stuck there", clock);
    else
      row.rejected +=
          power > law ? ": something else drew power too" : ": it did not run all the time";
  }
}

}  // namespace

void fit_powers(FittedPlatform& platform, const Voltages& voltages) {
  std::vector<UnitFit> units;
  for (FittedCluster& cluster : platform.clusters) {
    UnitFit unit;
    unit.cluster = &cluster;
    unit.curves = voltage_curves(platform, cluster, voltages);
    for (FittedRow& row : cluster.rows) {
      if (!row.kept() || !row.measured.power_mw) continue;
      const long khz = std::lround(row.measured.mhz * 1e3);
      unit.rows.push_back(&row);
      unit.opp.push_back(static_cast<std::size_t>(
          std::find_if(cluster.opps.begin(), cluster.opps.end(),
                       [&](const FittedOpp& opp) { return opp.khz == khz; }) -
          cluster.opps.begin()));
    }
    if (unit.rows.empty()) continue;  // of the time law none was left
    find_devices(unit);
    choose_parameters(platform, unit);
    units.push_back(std::move(unit));
  }
  for (int round = 0; round < kPowerRounds; ++round) {
    bool again = platform.widths.size() > 1;
    for (UnitFit& unit : units) {
      again |= !unit.cluster->devices.empty();
      update_devices(unit);
    }
    if (platform.widths.size() > 1) update_activities(platform, units);
    if (!again) break;
    for (UnitFit& unit : units) fit_unit(platform, unit);
  }
  for (UnitFit& unit : units) {
    FittedCluster& cluster = *unit.cluster;
    for (std::size_t o = 0; o < cluster.opps.size(); ++o)
      cluster.opps[o].mv = unit.curves.mv[unit.fit.design][o];
    cluster.core_nf = unit.estimate(kCore);
    cluster.static_ma = unit.estimate(kStatic);
    cluster.uncore_nf = unit.estimate(kUncore);
    cluster.idle_core_nf = unit.estimate(kIdleCore);
    cluster.leak_c_a = unit.estimate(kLeakC);
    cluster.leak_a = unit.estimate(kLeakA);
    judge(unit);
  }
}

}  // namespace flyball
