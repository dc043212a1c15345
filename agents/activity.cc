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
  std::int64_t free_ns = begin_ns;
  for (const JobRecord& job : now.jobs()) {
    if (job.app != app || job.dropped || job.finish_ns < begin_ns) continue;
    add({.begin_ns = std::max(job.start_ns, begin_ns),
         .end_ns = job.finish_ns,
         .setting = job.setting,
         .begins = job.release_ns != running_release_ns_,
         .sleeps_after = true});
    free_ns = job.finish_ns;
  }
  wakes_ = seen.backlog > 0 && seen.oldest_release_ns >= now.now_ns;
  runs_ = seen.backlog > 0 && !wakes_;
  if (!runs_) {
    running_release_ns_ = -1;
    return;
  }
  // One job of an application runs at a time, so what waits has been running since the last one
  // finished, with the setting that was in force then.
  const bool begins = running_release_ns_ != seen.oldest_release_ns;
  if (begins) running_setting_ = seen.setting;
  running_release_ns_ = seen.oldest_release_ns;
  add({.begin_ns = std::min(now.now_ns, std::max(free_ns, seen.oldest_release_ns)),
       .end_ns = now.now_ns,
       .setting = running_setting_,
       .begins = begins,
       .sleeps_after = false});
}

double running_share(const Observation& now, int app) {
  if (now.epoch_ns <= 0) return 0;
  const std::int64_t begin_ns = now.now_ns - now.epoch_ns;
  std::int64_t running_ns = 0, free_ns = begin_ns;
  for (const JobRecord& job : now.jobs()) {
    if (job.app != app || job.dropped) continue;
    running_ns += std::max<std::int64_t>(0, job.finish_ns - std::max(job.start_ns, begin_ns));
    free_ns = std::max(free_ns, job.finish_ns);
  }
  const AppObservation& seen = now.app[static_cast<std::size_t>(app)];
  if (seen.backlog > 0)
    running_ns += std::max<std::int64_t>(0, now.now_ns - std::max(free_ns, seen.oldest_release_ns));
  return std::min(1.0, static_cast<double>(running_ns) / static_cast<double>(now.epoch_ns));
}

}  // namespace flyball
