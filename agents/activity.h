#pragma once

#include <array>
#include <cstdint>

#include "env/spaces/observation.h"

namespace flyball {

/// A stretch of an epoch in which a job ran.
struct JobStretch {
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
  AppSetting setting;
  bool begins = false;        ///< the job began here, and not in an epoch before
  bool sleeps_after = false;  ///< nothing was waiting when it finished
};

/// What a scheduler sees of an application: when its threads run and sleep. The one place where the
/// Linux governors read jobs out of an observation.
class Activity {
 public:
  /// Reads the epoch that ended with `now`.
  void read(const Observation& now, int app);

  int count() const { return count_; }
  const JobStretch& stretch(int i) const { return stretch_[static_cast<std::size_t>(i)]; }
  bool runs() const { return runs_; }    ///< at the end of the epoch

 private:
  void add(const JobStretch& stretch);

  std::array<JobStretch, kMaxEpochJobs + 1> stretch_;
  int count_ = 0;
  bool runs_ = false;
};

}  // namespace flyball
