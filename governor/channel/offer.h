#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "env/spaces/binding.h"
#include "env/spaces/requirements.h"
#include "governor/client/channel_layout.h"

namespace flyball {

/// What a client said of itself, checked: everything in it may be used as it is.
struct Offer {
  Binding binding;  ///< the profile is still to be named
  Requirements required;
  std::vector<flyball_monitor> monitors;  ///< without their names
  std::vector<std::string> monitor_names, monitor_units;
  /// Of the level that the ledger counts the one that the client counts, and back (-1: not offered).
  std::vector<std::uint16_t> flat_level;
  std::array<std::int16_t, FLYBALL_LEVELS> level_of{};
  int flags = 0;
  std::uint64_t first_sequence = 0;
  std::vector<std::int32_t> threads;

  bool follows_cpus() const { return (flags & FLYBALL_FOLLOWS_CPUS) != 0; }
};

/// Reads the bytes of a hello. Empty, or why it is refused: a sentence for flyball_why().
std::string read_offer(std::span<const char> message, Offer& offer);
/// The same of requirements that are asked for later.
bool read_requirements(const fly_requirements& from, Requirements& to);
/// What a job costs, in energies of a reference job, whose monitor has this value.
double cost_of(const flyball_monitor& monitor, double value);

}  // namespace flyball
