#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "env/ledger/arrivals.h"
#include "env/model/platform_spec.h"

namespace flyball {

/// The frequency knob of one cluster: what was asked for, what the thermal governor allows, what is
/// in force, and what will be after the transition latency. Plain data.
struct ClusterKnob {
  std::uint8_t opp = 0;     ///< in force
  std::uint8_t asked = 0;   ///< by the last action
  std::uint8_t cap = 255;   ///< highest that the thermal governor allows
  std::uint8_t coming = 0;  ///< in force from switch_ns on
  std::int64_t switch_ns = kNeverNs;
};

/// Where the knobs of all clusters stand. Every platform that has to play transitions does it with
/// this; times are the platform's, never going back.
struct KnobLedger {
  std::array<ClusterKnob, kMaxClusters> cluster{};

  /// An action asks for `opp`; beyond the table means its last.
  void ask(const PlatformSpec& spec, int c, int opp, std::int64_t now_ns) {
    ClusterKnob& knob = cluster[static_cast<std::size_t>(c)];
    knob.asked = static_cast<std::uint8_t>(
        std::min(opp, spec.clusters[static_cast<std::size_t>(c)].max_opp()));
    aim(spec, c, now_ns);
  }
  void set_cap(const PlatformSpec& spec, int c, int cap, std::int64_t now_ns) {
    cluster[static_cast<std::size_t>(c)].cap = static_cast<std::uint8_t>(cap);
    aim(spec, c, now_ns);
  }
  /// When the next transition is over.
  std::int64_t next_ns(int clusters) const {
    std::int64_t next = kNeverNs;
    for (int c = 0; c < clusters; ++c) {
      next = std::min(next, cluster[static_cast<std::size_t>(c)].switch_ns);
    }
    return next;
  }
  /// Puts a transition that is over in force; true when the cluster's OPP changed.
  bool settle(int c, std::int64_t now_ns) {
    ClusterKnob& knob = cluster[static_cast<std::size_t>(c)];
    if (knob.switch_ns > now_ns) return false;
    knob.switch_ns = kNeverNs;
    const bool changed = knob.opp != knob.coming;
    knob.opp = knob.coming;
    return changed;
  }

 private:
  void aim(const PlatformSpec& spec, int c, std::int64_t now_ns) {
    ClusterKnob& knob = cluster[static_cast<std::size_t>(c)];
    const std::uint8_t goal = std::min(knob.asked, knob.cap);
    if (goal == knob.opp) {
      knob.switch_ns = kNeverNs;
      knob.coming = goal;
      return;
    }
    if (knob.switch_ns != kNeverNs && knob.coming == goal) return;
    knob.coming = goal;
    knob.switch_ns =
        now_ns + static_cast<std::int64_t>(
                     spec.clusters[static_cast<std::size_t>(c)].transition_latency_us * 1e3);
  }
};

}  // namespace flyball
