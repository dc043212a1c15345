#pragma once

#include <string>
#include <vector>

#include "governor/cli/json.h"
#include "governor/cli/progress.h"
#include "governor/metrics/metrics.h"

namespace flyball::cli {

/// How an agent did over the episodes in which it learned: means over each tenth of them, printed as
/// they come, and by how much the rewards at the end are above those at the beginning. In these it
/// tries things out: what was learned is worth, runs without that say (validation_text()).
class LearningCurve {
 public:
  LearningCurve(int episodes, int scenarios, bool print, Progress& progress)
      : episodes_(episodes), print_(print), progress_(progress), rewards_(scenarios) {}

  void add(int scenario, const Metrics& metrics);
  /// After the last episode, also of a training that was interrupted: the tenth that was begun.
  void finish();
  int done() const { return done_; }

  struct Gain {
    int episodes = 0;   ///< compared at each end, of each scenario; 0: too few to tell
    bool flat = false;  ///< every episode had the reward of the first
    Estimate reward;    ///< the last ones' mean less the first ones'
  };
  Gain gain() const;
  /// For people.
  std::string slope() const;
  Json points_json() const;
  Json gain_json() const;

 private:
  struct Point {
    int episodes = 0;  ///< done by then
    double energy_mj_per_job = 0;
    double deadline_miss_pct = 0;
    double reward = 0;
  };
  void end_point();
  void print(const Point& point) const;

  const int episodes_;
  const bool print_;
  Progress& progress_;
  int done_ = 0, in_point_ = 0, tenth_ = 0;
  Point sum_;
  std::vector<Point> points_;
  std::vector<std::vector<double>> rewards_;  ///< of each scenario
};

}  // namespace flyball::cli
