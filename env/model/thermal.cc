#include "env/model/thermal.h"

#include <algorithm>

#include "kernels/base/det_math.h"

namespace flyball {
namespace {

void update_temperatures(const PlatformSpec& spec, ThermalState& state) {
  for (std::size_t n = 0; n < spec.thermal.size(); ++n) {
    const ThermalNode& node = spec.thermal[n];
    double temp_c = state.ambient_c + node.offset_c;
    for (std::size_t t = 0; t < node.terms.size(); ++t) {
      temp_c += node.terms[t].r_k_per_w * state.filtered_w[n][t];
    }
    state.temp_c[n] = temp_c;
  }
}

int opp_left(const ClusterSpec& cluster, const TripPoint& trip) {
  switch (trip.kind) {
    case TripPoint::Kind::kStepDown:
      return std::max(0, cluster.max_opp() - trip.steps);
    case TripPoint::Kind::kCap: {
      int opp = cluster.max_opp();
      while (opp > 0 && cluster.opps[opp].freq_khz > trip.cap_khz) --opp;
      return opp;
    }
    case TripPoint::Kind::kCritical:
      return 0;
  }
  return 0;
}

void update_caps(const PlatformSpec& spec, ThermalState& state) {
  for (std::size_t c = 0; c < spec.clusters.size(); ++c) {
    int cap = spec.clusters[c].max_opp();
    for (std::size_t t = 0; t < spec.trips.size(); ++t) {
      if (state.tripped[t] != 0 && spec.trips[t].cluster == static_cast<int>(c)) {
        cap = std::min(cap, opp_left(spec.clusters[c], spec.trips[t]));
      }
    }
    state.opp_cap[c] = static_cast<std::uint8_t>(cap);
  }
}

}  // namespace

void thermal_reset(const PlatformSpec& spec, double ambient_c, double total_w,
                   ThermalState& state) {
  state = ThermalState{};
  state.ambient_c = ambient_c;
  for (auto& node : state.filtered_w) node.fill(total_w);
  update_temperatures(spec, state);
  update_caps(spec, state);
}

void thermal_advance(const PlatformSpec& spec, double total_w, double dt_s, ThermalState& state) {
  for (std::size_t n = 0; n < spec.thermal.size(); ++n) {
    for (std::size_t t = 0; t < spec.thermal[n].terms.size(); ++t) {
      double& filtered_w = state.filtered_w[n][t];
      filtered_w += (total_w - filtered_w) * det_lag(dt_s / spec.thermal[n].terms[t].tau_s);
    }
  }
  update_temperatures(spec, state);
}

void thermal_poll_trips(const PlatformSpec& spec, ThermalState& state) {
  for (std::size_t t = 0; t < spec.trips.size(); ++t) {
    const TripPoint& trip = spec.trips[t];
    const double temp_c = state.temp_c[trip.node];
    if (temp_c >= trip.temp_c) {
      state.tripped[t] = 1;
    } else if (temp_c < trip.temp_c - trip.hysteresis_c) {
      state.tripped[t] = 0;
    }
  }
  update_caps(spec, state);
}

double cluster_temp_c(const PlatformSpec& spec, const ThermalState& state, int cluster) {
  double hottest_c = state.ambient_c;
  bool found = false;
  for (std::size_t n = 0; n < spec.thermal.size(); ++n) {
    if (spec.thermal[n].cluster != cluster) continue;
    hottest_c = found ? std::max(hottest_c, state.temp_c[n]) : state.temp_c[n];
    found = true;
  }
  return hottest_c;
}

}  // namespace flyball
