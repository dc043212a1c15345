#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agents/arm.h"
#include "env/model/platform_spec.h"

namespace flyball {

/// One job of a board, as a learner of arms is told of it (agents/arm_learner.h).
struct DqnJob {
  ArmState state;
  Arm::Features x{};
  double cost = 0;
  ArmState next_state;
  Arm::Features next{};  ///< of the arm of least expected cost behind it
};

/// What a platform's boards showed, none of which is as described; a list per board.
struct DqnBoards {
  const PlatformSpec* platform;
  std::vector<std::vector<DqnJob>> jobs;
};

struct DqnPlay {
  std::vector<std::string> scenarios;
  int boards = 48;  ///< of each platform, drawn as 'evaluate --suite unknown_boards' draws them
  int jobs = 200;   ///< of each scenario on each board
  std::uint64_t seed = 1;
  unsigned threads = 1;  ///< the result does not depend on it
};

/// Plays the scenarios on boards that are drawn, with a learner that tries any safe arm a third of the
/// time. Throws Error.
DqnBoards play_boards(const PlatformSpec& platform, const DqnPlay& play);

}  // namespace flyball
