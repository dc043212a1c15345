#pragma once

#include <cstdint>
#include <vector>

#include "agents/profile_table.h"
#include "agents/time_estimate.h"

namespace flyball {

/// A profile table that follows a belief which is being learned, a few mappings at a time, and knows
/// how sure it is of them.
class PlanTable : public Profile {
 public:
  /// `times` of the application, where they are learned; nullptr: the table stays as it is.
  PlanTable(const PlatformSpec& platform, const AppProfile& app, double tail_ns,
            TimeEstimate* times, double gap_ns = 0);

  bool learns() const { return times_ != nullptr; }
  /// Jobs come this far apart now: plans anew by and by, where idle states make that matter.
  void expect_gap(double gap_ns);
  /// The belief has this version now: plans anew what of the level is of another, the mapping in use
  /// (-1: none) first. Bounded, and without an allocation.
  void follow(std::uint32_t version, int level, int in_use);
  /// Plans one mapping anew unless it is of this version; false when it was.
  bool follow_one(std::uint32_t version, int level, int mapping);
  /// How unsure the belief makes the time of a job, relative, one standard deviation.
  double unsure(int mapping, int level) const {
    return learns() ? static_cast<double>(plans_[index(mapping, level)].unsure) : 0;
  }

 private:
  struct Plan {
    std::uint32_t version = 0;  ///< plus 1
    float unsure = 0;
  };
  std::size_t index(int mapping, int level) const {
    return static_cast<std::size_t>(mapping * level_count() + level);
  }
  void plan(int mapping, int level, std::uint32_t version);

  /// What is planned may have to be planned anew.
  bool moves() const { return learns() || weighs_gaps(); }

  TimeEstimate* times_;
  std::uint32_t gaps_ = 0;  ///< changes of the gap; they count as versions do
  std::vector<Plan> plans_;
  std::uint32_t followed_ = 0;  ///< plus 1; by all of `followed_level_`
  int followed_level_ = -1;
};

}  // namespace flyball
