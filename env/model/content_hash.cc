#include "env/model/content_hash.h"

#include "env/model/network_levels.h"
#include "kernels/base/hash.h"

namespace flyball {
namespace {

/// Where a model lies is no matter.
std::string_view model_file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

void add(const std::vector<QualityKnob>& knobs, Fnv1a& hash) {
  hash.add(static_cast<int>(knobs.size()));
  for (const QualityKnob& knob : knobs) {
    hash.add(knob.name);
    hash.add(knob.unit);
    hash.add(static_cast<int>(knob.values.size()));
    for (const std::string& value : knob.values) hash.add(value);
  }
}

}  // namespace

std::uint64_t content_hash(const PlatformSpec& platform) {
  Fnv1a hash;
  hash.add("flyball platform 2");
  hash.add(platform.name);
  for (const ClusterSpec& c : platform.clusters) {
    hash.add(c.name);
    hash.add(static_cast<int>(c.kind));
    hash.add(c.cores);
    for (const OperatingPoint& opp : c.opps) {
      hash.add(opp.freq_khz);
      hash.add(opp.voltage_mv);
      if (opp.delivered_share != 1) hash.add(opp.delivered_share);
    }
    for (const double number :
         {c.capacity_per_mhz, c.uncore_nf, c.idle_core_nf, c.gate_idle_cores ? 1.0 : 0.0, c.leak_a,
          c.leak_b_k, c.leak_c_a, c.leak_core_share, c.transition_latency_us,
          c.dynamic_power_coefficient}) {
      hash.add(number);
    }
    // As before there were any, where there are none.
    for (const IdleStateSpec& state : c.idle_states) {
      hash.add(state.name);
      hash.add(state.power_share);
      hash.add(state.exit_latency_us);
      hash.add(state.residency_us);
      hash.add(state.cluster_off ? 1 : 0);
    }
  }
  for (const Mapping& mapping : platform.mappings) hash.add(mapping.name);
  for (const ThermalNode& node : platform.thermal) {
    hash.add(node.cluster);
    hash.add(node.offset_c);
    for (const ThermalTerm& term : node.terms) {
      hash.add(term.r_k_per_w);
      hash.add(term.tau_s);
    }
  }
  for (const TripPoint& trip : platform.trips) {
    hash.add(static_cast<int>(trip.kind));
    hash.add(trip.temp_c);
    hash.add(trip.hysteresis_c);
    hash.add(trip.cluster);
    hash.add(trip.node);
    hash.add(trip.steps);
    hash.add(trip.cap_khz);
  }
  for (const double number :
       {platform.trip_poll_ms, platform.board_mw, platform.migration_us, platform.cold_cache_ms,
        platform.level_switch_us, platform.decision_latency_us}) {
    hash.add(number);
  }
  // As before anybody could say so, where nobody does.
  const auto add_spread = [&](const char* of, const std::optional<double>& spread) {
    if (!spread) return;
    hash.add(of);
    hash.add(*spread);
  };
  add_spread("time spread", platform.time_spread);
  add_spread("power spread", platform.power_spread);
  return hash.value();
}

std::uint64_t content_hash(const PlatformSpec& platform, const AppProfile& app) {
  Fnv1a hash;
  hash.add("flyball application 2");
  hash.add(app.name);
  hash.add(app.plain_load ? 1 : 0);
  hash.add(app.parallel_fraction);
  if (app.equal_shares) hash.add("equal shares");
  hash.add(model_file_name(app.model));
  // The dynamic network's as before applications had other knobs: what was learned of it holds.
  const bool network = has_network_knobs(app);
  if (!network) add(app.knobs, hash);
  for (int l = 0; l < app.level_count(); ++l) {
    const LevelProfile& level = app.levels[static_cast<std::size_t>(l)];
    if (network) {
      const NetworkLevel of = network_level(app, l);
      hash.add(of.width_pct);
      hash.add(of.int8 ? 1 : 0);
    } else {
      for (const std::uint8_t value : level.knob) hash.add(int{value});
    }
    hash.add(level.time_factor);
    hash.add(level.activity_factor);
    if (app.model.empty()) hash.add(level.accuracy_pct);
  }
  for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
    const UnitProfile& unit = app.unit[c];
    for (const double number :
         {unit.supported ? 1.0 : 0.0, unit.mcycles, unit.memory_ms, unit.core_nf, unit.static_ma,
          unit.gate_idle_cores ? 1.0 : 0.0, unit.ipc, unit.miss_ns, unit.references_per_miss}) {
      hash.add(number);
    }
  }
  return hash.value();
}

}  // namespace flyball
