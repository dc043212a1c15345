#include "agents/activity.h"

#include <algorithm>

namespace flyball {

void Activity::add(const JobStretch& stretch) {
  if (count_ > 0) {
    JobStretch& before = stretch_[static_cast<std::size_t>(count_ - 1)];
    before.sleeps_after = before.end_ns < stretch.begin_ns;
  }
  stretch_[static_cast<std::size_t>(count_++)] = stretch;
}

void Activity::read(const Observation& now, int app) {
  const std::int64_t begin_ns = now.now_ns - now.epoch_ns;
  const AppObservation& seen = now.app[static_cast<std::size_t>(app)];
  count_ = 0;
  for (const JobRecord& job : now.jobs()) {
    if (job.app != app || job.dropped || job.finish_ns < begin_ns) continue;
    add({.begin_ns = std::max(job.start_ns, begin_ns),
         .end_ns = job.finish_ns,
         .setting = job.setting,
         .begins = job.start_ns > begin_ns,
         .sleeps_after = true});
  }
  runs_ = seen.running.busy;
  if (!runs_) return;
  add({.begin_ns = std::min(now.now_ns, std::max(begin_ns, seen.running.start_ns)),
       .end_ns = now.now_ns,
       .setting = seen.running.setting,
       .begins = seen.running.start_ns > begin_ns || now.epoch_ns == 0,
       .sleeps_after = false});
}

}  // namespace flyball
