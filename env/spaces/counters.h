#pragma once

#include <cstdint>
#include <limits>

namespace flyball {

/// Performance counters over one epoch, of a cluster or of an application. Which of them hold is
/// in `valid`, a bit per field in this order; the others are 0 and mean nothing. Of these `held` has
/// those whose source could only repeat what it had counted before, which nobody counts twice. The cache is the
/// last level of the platform, unless the platform says otherwise.
struct Counters {
  double instructions = 0;
  double cycles = 0;  ///< while busy
  double cache_references = 0;
  double cache_misses = 0;
  double stalled_cycles = 0;  ///< of `cycles`, waiting for memory
  double context_switches = 0;
  std::uint8_t valid = 0;
  std::uint8_t held = 0;

  static constexpr std::uint8_t kInstructions = 1, kCycles = 2, kReferences = 4, kMisses = 8,
                                kStalls = 16, kSwitches = 32, kAll = 63;
  /// Adds `part` (0 to 1) of `other`; what one of the two lacks, the sum lacks. An empty one takes
  /// over all of it.
  void add(const Counters& other, double part, bool first) {
    instructions += part * other.instructions;
    cycles += part * other.cycles;
    cache_references += part * other.cache_references;
    cache_misses += part * other.cache_misses;
    stalled_cycles += part * other.stalled_cycles;
    context_switches += part * other.context_switches;
    valid = first ? other.valid : static_cast<std::uint8_t>(valid & other.valid);
    held = static_cast<std::uint8_t>((held | other.held) & ~valid);
  }
  bool has(std::uint8_t fields) const { return (valid & fields) == fields; }
  // Derived; NaN where what they are made of is missing.
  double ipc() const { return ratio(kInstructions | kCycles, instructions, cycles); }
  double misses_per_kilo_instruction() const {
    return 1000 * ratio(kMisses | kInstructions, cache_misses, instructions);
  }
  double stall_share() const { return ratio(kStalls | kCycles, stalled_cycles, cycles); }

 private:
  double ratio(std::uint8_t fields, double above, double below) const {
    return has(fields) && below > 0 ? above / below : std::numeric_limits<double>::quiet_NaN();
  }
};

}  // namespace flyball
