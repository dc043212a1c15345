#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "env/spaces/binding.h"

namespace flyball {

/// What is believed of a platform: agents, shield and reward see this and never the truth. It names
/// the same knobs (clusters, cores, operating points, mappings), which can be looked up on any
/// machine; what they cost may be wrong.
struct Belief {
  PlatformSpec mean;   ///< and, where it is known, its spread
  std::string source;  ///< the file that it was made from; empty: the platform's own

  /// Nothing known but the platform's own description.
  static Belief of(PlatformSpec spec, std::string source = "") {
    return {std::move(spec), std::move(source)};
  }
};

/// Throws Error (kInput) that names the first difference unless a platform has the knobs that the
/// belief speaks of.
void check_belief(const Belief& belief, const PlatformSpec& truth);

/// What is believed of an application whose profile nobody knows: knobs and levels as declared, and
/// costs as neutral as they can be. A job of its last level takes half of its deadline on one core of
/// the fastest cluster at its highest frequency, other clusters in proportion to their capacity, levels
/// in proportion to the values of their knobs, power as the mean of what is known there. Whoever uses it
/// estimates from the first job on.
AppProfile neutral_profile(const PlatformSpec& platform, const Binding& binding,
                           std::int64_t deadline_ns);

}  // namespace flyball
