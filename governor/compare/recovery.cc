#include "governor/compare/recovery.h"

#include <algorithm>
#include <limits>

namespace flyball {

std::vector<std::int64_t> changes_of(const Scenario& scenario) {
  std::vector<std::int64_t> changes;
  const auto add = [&](std::int64_t at_ns) {
    if (at_ns > 0 && at_ns < scenario.duration_ns) changes.push_back(at_ns);
  };
  for (const AppSpec& app : scenario.apps) {
    add(app.start_ns), add(app.stop_ns);
    for (const WorkTrend& trend : app.work_trends) add(trend.from_ns), add(trend.to_ns);
  }
  add(scenario.sensors.stuck_from_ns), add(scenario.sensors.temp_stuck_from_ns);
  add(scenario.sensors.lost_from_ns), add(scenario.sensors.temp_lost_from_ns);
  for (const BackgroundLoad& load : scenario.background) add(load.start_ns), add(load.stop_ns);
  for (const ScenarioEvent& event : scenario.events) add(event.at_ns);
  std::ranges::sort(changes);
  changes.erase(std::unique(changes.begin(), changes.end()), changes.end());
  return changes;
}

/// The change that is open ends here, recovered or not.
void RecoverySink::close(std::int64_t until_ns) {
  if (open_ && jobs_ >= kInARow) {
    sum_s_ += static_cast<double>(until_ns - changed_ns_) * 1e-9;
    ++counted_;
  }
  open_ = false;
}

void RecoverySink::on_epoch(const EpochEvent& event) noexcept {
  now_ns_ = event.outcome.now_ns;
  for (const JobRecord& job : event.outcome.jobs()) {
    // A dropped job has no finish: it is lost when it comes.
    const std::int64_t at_ns = job.dropped ? job.release_ns : job.finish_ns;
    while (next_ < changes_.size() && at_ns >= changes_[next_]) {
      close(changes_[next_]);
      changed_ns_ = last_miss_ns_ = changes_[next_++];
      open_ = true;
      jobs_ = in_a_row_ = 0;
    }
    if (!open_ || job.infeasible) continue;
    ++jobs_;
    if (job.missed) {
      last_miss_ns_ = std::max(at_ns, last_miss_ns_);
      in_a_row_ = 0;
    } else if (++in_a_row_ == kInARow) {
      close(last_miss_ns_);
    }
  }
}

double RecoverySink::mean_s() const {
  RecoverySink ended = *this;
  ended.close(now_ns_);
  return ended.counted_ > 0 ? ended.sum_s_ / ended.counted_
                            : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace flyball
