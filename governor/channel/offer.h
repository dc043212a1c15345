#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "env/spaces/binding.h"
#include "env/spaces/requirements.h"
#include "governor/channel/elements.h"
#include "governor/client/channel_layout.h"

namespace flyball {

/// The knob of an application that names what it can run on (FLYBALL_WHERE). It is no knob of its levels:
/// the mapping that is chosen for the application turns it.
struct WhereKnob {
  int index = -1;          ///< among the client's knobs; -1: it has none, and runs on CPUs
  std::size_t stride = 1;  ///< of its values, in the levels that the client counts
  std::vector<std::string> values;
  // As find_elements() has found them:
  std::vector<std::int16_t> of_mapping;  ///< per mapping the value that it has; -1: none
  std::vector<std::uint8_t> mapping;     ///< per value the mapping of most cores

  bool is_there() const { return index >= 0 && !mapping.empty(); }
  int of(std::size_t m) const { return m < of_mapping.size() ? of_mapping[m] : -1; }
  std::size_t in_level(std::size_t flat) const {
    return values.empty() ? 0 : flat / stride % values.size();
  }
};

/// What a client said of itself, checked: everything in it may be used as it is.
struct Offer {
  Binding binding;  ///< the profile is still to be named
  Requirements required;
  std::vector<flyball_monitor> monitors;  ///< without their names
  std::vector<std::string> monitor_names, monitor_units;
  WhereKnob where;
  std::vector<std::uint16_t> knob_counts;  ///< of the client's knobs, that one too
  /// Of the level that the ledger counts the one that the client counts, and back (-1: not offered). Of
  /// those that differ in where they run alone, the first value's.
  std::vector<std::uint16_t> flat_level;
  std::array<std::int16_t, FLYBALL_LEVELS> level_of{};
  int flags = 0;
  std::uint64_t first_sequence = 0;
  std::vector<std::int32_t> threads;

  bool follows_cpus() const { return (flags & FLYBALL_FOLLOWS_CPUS) != 0; }
  /// As the client counts, of a level of the ledger's on a mapping.
  std::uint16_t flat(std::size_t level, std::size_t mapping) const;
  /// What a client that ran this level of its own count was mapped to, if it was told `mapping`.
  std::uint8_t mapping_of(std::size_t flat_level, std::uint8_t mapping) const;
};

/// Whether a hello is of an interface that is spoken here: of our number; one that is longer has something
/// at its end that came later, which is passed over. Not whether it is a good one.
bool is_understood(std::span<const char> message);
/// Reads the bytes of a hello. Empty, or why it is refused: a sentence for flyball_why().
std::string read_offer(std::span<const char> message, Offer& offer);
/// What of this machine it can run on. Empty, or why it is refused: then the machine has no such element.
std::string find_elements(const Elements& elements, Offer& offer);
/// The same as read_offer() of requirements that are asked for later.
bool read_requirements(const fly_requirements& from, Requirements& to);
/// What a job costs, in energies of a reference job, whose monitor has this value.
double cost_of(const flyball_monitor& monitor, double value);

}  // namespace flyball
