#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace flyball {

/// The preference of the governor of a state folder: set once for each governor and each value, so
/// that what somebody sets by hand meanwhile stays.
class GovernedPreference {
 public:
  explicit GovernedPreference(std::string state_dir) : state_dir_(std::move(state_dir)) {}
  /// Sets it where a governor is that does not have it yet. What is in the way is `problem()`.
  void keep(double preference);
  /// Heat holds a clock down, or held it a second ago.
  bool is_hot() const { return hot_; }
  const std::string& problem() const { return problem_; }

 private:
  std::string state_dir_, problem_;
  std::optional<double> done_;
  std::int64_t governor_ns_ = 0;  ///< when the one that has it started
  bool hot_ = false;
};

}  // namespace flyball
