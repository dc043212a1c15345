#include "agents/job_tracker.h"

#include <algorithm>
#include <cmath>

namespace flyball {

namespace {
constexpr double kWorkWeight = 0.25;
constexpr double kDeviationWeight = 0.1;
constexpr double kModelErrorWeight = 0.05;
// Both averages follow the same samples, so nothing but this keeps `work` from sinking while every
// model error grows (with a variation of 10 %, by half in 10,000 jobs).
constexpr double kModelErrorLeak = 0.002;
constexpr double kOtherLoadWeightPerS = 10;  // a time constant of 0.1 s
constexpr double kWinsorise = 2;  // one preempted job moves an average by at most its weight
constexpr double kGapRecovery = 0.02;
constexpr int kQuickJobs = 4;
// Of a known profile's times, where nobody says how far they may be off; and how many mean absolute
// deviations a standard deviation is.
constexpr double kTimeSpread = 0.075, kDeviations = 1.25;
constexpr int kEveryJob = 64, kSeldom = 8;  // from then on times are learned from every eighth
constexpr double kLeastAtClocks = 0.1;      // of a job's work
constexpr double kLeastWorkNoise = 0.03;    // of a time, relative, beside that of the work
}  // namespace

OppChoice delivered_opps(const Observation& outcome) {
  OppChoice opp{};
  for (int c = 0; c < outcome.cluster_count; ++c) opp[c] = outcome.cluster[c].opp;
  return opp;
}

double running_share(const Observation& now, int slot) {
  if (now.epoch_ns <= 0) return 0;
  const std::int64_t begin = now.now_ns - now.epoch_ns;
  std::int64_t running = 0;
  for (const JobRecord& job : now.jobs()) {
    if (job.app != slot || job.dropped) continue;
    running += std::max<std::int64_t>(0, job.finish_ns - std::max(job.start_ns, begin));
  }
  const RunningJobObservation& run = now.app[slot].running;
  if (run.busy) running += std::max<std::int64_t>(0, now.now_ns - std::max(run.start_ns, begin));
  return std::min(1.0, static_cast<double>(running) / static_cast<double>(now.epoch_ns));
}

JobTracker::JobTracker(const PlatformSpec& believed, const AppProfile& profile, int slot,
                       bool known, TimeEstimate* times)
    : platform_(believed),
      profile_(profile),
      slot_(slot),
      times_(times),
      deviation_(known ? believed.time_spread.value_or(kTimeSpread) / kDeviations : 0.5),
      quick_jobs_(known ? 0 : kQuickJobs),
      model_error_(believed.mappings.size(), 1.0f) {
  for (std::size_t c = 0; c < believed.clusters.size(); ++c) {
    per_core_[c] = 1.0 / believed.clusters[c].cores;
  }
}

double JobTracker::job_ns(const AppSetting& setting, const Observation& outcome) {
  return believed_.ns(platform_, profile_, setting, delivered_opps(outcome));
}

void JobTracker::add_progress(double work, const Observation& outcome) {
  progress_ += work;
  if (times_ == nullptr) return;
  const OppChoice opp = delivered_opps(outcome);
  for (std::size_t k = 0; k < clock_count_; ++k) {
    if (clocks_[k].opp != opp) continue;
    clocks_[k].share += work;
    return;
  }
  if (clock_count_ < clocks_.size()) {
    clocks_[clock_count_++] = {opp, work};
  } else {
    clocks_.back().share += work;
  }
}

void JobTracker::observe(const Observation& outcome) {
  note_other_load(outcome);
  if (times_ != nullptr) believed_.forget();  // others correct the board as well
  const std::int64_t begin_ns = outcome.now_ns - outcome.epoch_ns;
  for (const JobRecord& job : outcome.jobs()) {
    if (job.app != slot_) continue;
    note_release(job.release_ns);
    if (job.dropped) continue;
    const std::int64_t from_ns = std::max(begin_ns, job.start_ns);
    if (job.start_ns >= begin_ns) no_progress();
    add_progress(
        static_cast<double>(job.finish_ns - from_ns) /
            (job_ns(job.setting, outcome) * crowding(job.setting.mapping, others_in_epoch_)),
        outcome);
    job_finished(job);
    no_progress();
  }
  const AppObservation& seen = outcome.app[slot_];
  for (std::uint32_t i = 0; i < seen.backlog; ++i) note_release(seen.release_ns(i));
  const RunningJobObservation& run = seen.running;
  if (!run.busy || run.start_ns >= begin_ns) no_progress();
  if (run.busy) {
    add_progress(
        static_cast<double>(outcome.now_ns - std::max(begin_ns, run.start_ns)) /
            (job_ns(run.setting, outcome) * crowding(run.setting.mapping, others_in_epoch_)),
        outcome);
  }
}

void JobTracker::learn_times(const JobRecord& job) {
  // What is done at clocks that hardly count is taken to be done at the others.
  std::size_t kept = 0;
  double sum = 0;
  bool telling = false;
  for (std::size_t k = 0; k < clock_count_; ++k) {
    if (clocks_[k].share < kLeastAtClocks * progress_) continue;
    telling =
        telling || times_->tells_of_lowest(platform_.mappings[job.setting.mapping], clocks_[k].opp);
    sum += clocks_[k].share;
    clocks_[kept++] = clocks_[k];
  }
  if (kept == 0 || !(jobs_ < kEveryJob || jobs_ % kSeldom == 0 || telling)) return;
  for (std::size_t k = 0; k < kept; ++k) clocks_[k].share /= sum;
  // What the board is to blame for is no work.
  const double expected =
      work_ * static_cast<double>(model_error_[static_cast<std::size_t>(job.setting.mapping)]);
  const double noise = kLeastWorkNoise + deviation_ / work_ + other_load_;
  progress_ /= times_->take(job.setting, {clocks_.data(), kept}, progress_ / expected, noise);
  believed_.forget();
}

void JobTracker::job_finished(const JobRecord& job) {
  if (!(progress_ > 0) || !std::isfinite(progress_)) return;
  ++jobs_;
  if (times_ != nullptr) learn_times(job);
  const auto m = static_cast<std::size_t>(job.setting.mapping);
  const double known = static_cast<double>(model_error_[m]);
  const double expected = work_ * known;
  if (jobs_ <= quick_jobs_) {
    // Nothing is known yet: the mean of the first jobs, whatever they take.
    const double sample = std::clamp(progress_ / known, 0.001, 1000.0);
    const double error = sample - work_;
    deviation_ = jobs_ == 1 ? 0.25 * sample : deviation_ + (std::abs(error) - deviation_) / jobs_;
    work_ += error / jobs_;
    return;
  }
  const double ratio = std::clamp(progress_ / expected, 1 / kWinsorise, kWinsorise);
  const double error = work_ * (ratio - 1);
  model_error_[m] = static_cast<float>(std::clamp(
      known * (1 + kModelErrorWeight * (ratio - 1)) + kModelErrorLeak * (1 - known), 0.25, 8.0));
  deviation_ += kDeviationWeight * (std::abs(error) - deviation_);
  work_ += kWorkWeight * error;
}

void JobTracker::note_release(std::int64_t release_ns) {
  if (release_ns <= last_release_ns_) return;
  if (last_release_ns_ >= 0) {
    const double gap = static_cast<double>(release_ns - last_release_ns_);
    shortest_gap_ns_ =
        shortest_gap_ns_ <= 0 ? gap : std::min(gap, shortest_gap_ns_ * (1 + kGapRecovery));
  }
  last_release_ns_ = release_ns;
}

void JobTracker::note_other_load(const Observation& outcome) {
  if (outcome.epoch_ns <= 0) return;
  // The share of the new reading; never more than all of it.
  const double weight =
      std::min(1.0, static_cast<double>(outcome.epoch_ns) * 1e-9 * kOtherLoadWeightPerS);
  std::array<double, kMaxClusters> background{};
  others_in_epoch_ = {};
  for (int c = 0; c < outcome.cluster_count; ++c) {
    background[c] =
        outcome.cluster[c].util_mean * platform_.clusters[static_cast<std::size_t>(c)].cores;
  }
  for (int a = 0; a < outcome.app_count; ++a) {
    const AppObservation& seen = outcome.app[a];
    if (!seen.bound()) continue;
    const double share = running_share(outcome, a);
    if (a == slot_) duty_ += weight * (share - duty_);
    const AppSetting& used = seen.finished > 0   ? seen.last_setting
                             : seen.running.busy ? seen.running.setting
                                                 : seen.setting;
    for (int c = 0; c < outcome.cluster_count; ++c) {
      const double busy = share * platform_.mappings[used.mapping].cores[c];
      background[c] -= busy;
      if (a != slot_) others_in_epoch_[c] += busy;
    }
  }
  for (int c = 0; c < outcome.cluster_count; ++c) {
    background_cores_[c] += weight * (std::max(0.0, background[c]) - background_cores_[c]);
    others_in_epoch_[c] += background_cores_[c];
  }
}

double JobTracker::crowding(int mapping, const std::array<double, kMaxClusters>& others) const {
  const Mapping& wanted = platform_.mappings[static_cast<std::size_t>(mapping)];
  double crowding = 1;
  for (std::size_t c = 0; c < platform_.clusters.size(); ++c) {
    if (wanted.cores[c] == 0) continue;
    crowding = std::max(crowding, (wanted.cores[c] + others[c]) * per_core_[c]);
  }
  return crowding;
}

void JobTracker::set_company(const std::array<double, kMaxClusters>& cores) {
  other_load_ = 0;
  for (std::size_t c = 0; c < platform_.clusters.size(); ++c) {
    others_cores_[c] = background_cores_[c] + cores[c];
    other_load_ = std::max(other_load_, others_cores_[c] / platform_.clusters[c].cores);
  }
}

}  // namespace flyball
