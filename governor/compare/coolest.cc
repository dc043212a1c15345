#include "governor/compare/coolest.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "env/model/idle_states.h"
#include "kernels/base/det_math.h"

namespace flyball {
namespace {

constexpr double kHottestC = 200;   // beyond it leakage does not grow
constexpr double kForgotten = 500;  // time constants: nothing is left of it

/// Whatever may run there: the most that a busy core switches, the most that flows beside, and
/// whether some application has idle cores powered off.
struct Extremes {
  double core_nf = 0, static_ma = 0;
  bool gated = false;
};

Extremes extremes(const SimModel& model, int c) {
  const ClusterSpec& cluster = model.spec.clusters[static_cast<std::size_t>(c)];
  Extremes most{.gated = cluster.gate_idle_cores};
  for (int a = 0; a < model.apps; ++a) {
    const AppProfile& app = *model.ledger.profile[a];
    const UnitProfile& unit = app.unit[static_cast<std::size_t>(c)];
    most.gated = most.gated || unit.gate_idle_cores;
    most.static_ma += unit.static_ma;
    for (const LevelProfile& level : app.levels)
      most.core_nf = std::max(most.core_nf, unit.core_nf * level.activity_factor);
  }
  for (const BackgroundLoad& load : model.scenario.background)
    if (load.cluster == c) most.core_nf = std::max(most.core_nf, load.core_nf);
  return most;
}

double least_mw(const SimModel& model, int c, double temp_c) {
  const ClusterSpec& cluster = model.spec.clusters[static_cast<std::size_t>(c)];
  const double volts = cluster.opps.front().voltage_mv / 1000;
  const double leaking = extremes(model, c).gated ? 1 - cluster.leak_core_share : 1;
  return idle_share(cluster, deepest_idle(cluster, true)) * volts * leaking *
         model.leakage(c, temp_c);
}

double most_mw(const SimModel& model, int c) {
  const ClusterSpec& cluster = model.spec.clusters[static_cast<std::size_t>(c)];
  const Extremes most = extremes(model, c);
  const double volts = cluster.opps.back().voltage_mv / 1000;
  const double mhz = cluster.opps.back().delivered_khz() / 1000;
  const double nf =
      cluster.uncore_nf + cluster.cores * std::max(most.core_nf, cluster.idle_core_nf);
  return volts * (volts * mhz * nf + most.static_ma + model.leakage(c, kHottestC));
}

/// What a watt too much, at the worst times, takes off a node's temperature: the negative part of its
/// answer to an impulse, K/W.
double cooling_k_per_w(const ThermalNode& node) {
  double longest_s = 0;
  bool fan = false;
  for (const ThermalTerm& term : node.terms) {
    longest_s = std::max(longest_s, term.tau_s);
    fan = fan || term.r_k_per_w < 0;
  }
  if (!fan) return 0;
  const auto left = [&](double t_s) {
    double k_per_w = 0;
    for (const ThermalTerm& term : node.terms)
      k_per_w += term.r_k_per_w * det_exp(-std::min(t_s / term.tau_s, kForgotten));
    return k_per_w;
  };
  constexpr int kParts = 4000;
  constexpr double kMargin = 1.01;  // for a part in which the answer changes its sign
  double cooling = 0, from_s = 0;
  for (int i = 1; i <= kParts; ++i) {
    const double part = static_cast<double>(i) / kParts;
    const double to_s = longest_s * 40 * part * part * part;
    cooling += std::max(0.0, left(to_s) - left(from_s));
    from_s = to_s;
  }
  return cooling * kMargin;
}

}  // namespace

std::array<double, kMaxClusters> least_rise_k(const SimModel& model, double initial_w,
                                              double coldest_ambient_c) {
  const PlatformSpec& spec = model.spec;
  double most_w = spec.board_mw / 1000;
  for (int c = 0; c < model.clusters; ++c) most_w += most_mw(model, c) / 1000;
  most_w = std::max(most_w, initial_w);
  std::array<double, kMaxClusters> rise{};
  double least_w = std::min(initial_w, spec.board_mw / 1000);
  // Each round starts from what is sure and ends with something surer.
  for (int round = 0; round < 4; ++round) {
    rise.fill(-std::numeric_limits<double>::infinity());
    for (const ThermalNode& node : spec.thermal) {
      double k = node.offset_c - cooling_k_per_w(node) * (most_w - least_w);
      for (const ThermalTerm& term : node.terms) k += term.r_k_per_w * least_w;
      double& hottest = rise[static_cast<std::size_t>(node.cluster)];
      hottest = std::max(hottest, k);
    }
    double sure_w = spec.board_mw / 1000;
    for (int c = 0; c < model.clusters; ++c) {
      double& k = rise[static_cast<std::size_t>(c)];
      if (std::isinf(k)) k = 0;  // no sensor: the ambient
      sure_w += least_mw(model, c, coldest_ambient_c + k) / 1000;
    }
    least_w = std::min(initial_w, sure_w);
  }
  return rise;
}

}  // namespace flyball
