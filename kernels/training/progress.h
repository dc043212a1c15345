#pragma once

#include <chrono>
#include <string>

#include "kernels/training/trainer.h"

namespace flyball {

/// How a training goes, on standard error: one line that is rewritten on a terminal, elsewhere a
/// line per epoch.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();  ///< takes the line away
  void show(const TrainingReport& report);

 private:
  using Clock = std::chrono::steady_clock;
  const bool terminal_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_{};
  double done_at_start_ = -1;  ///< a resumed training starts in the middle
};

}  // namespace flyball
