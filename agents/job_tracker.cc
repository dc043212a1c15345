#include "agents/job_tracker.h"

#include <algorithm>
#include <cmath>

#include "agents/placement.h"

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
}  // namespace

JobTracker::JobTracker(const PlatformSpec& platform, const Scenario& scenario, int app)
    : platform_(platform),
      scenario_(scenario),
      profile_(platform.apps[static_cast<std::size_t>(
          scenario.apps[static_cast<std::size_t>(app)].profile)]),
      app_(app) {
  model_error_.fill(1);
  others_cores_ = {};
}

void JobTracker::start_stream() {
  progress_ = 0;
  released_ = 0;
  backlog_ = 0;
  shortest_gap_ns_ = 0;
  background_cores_ = {};
  duty_ = 0;
  other_load_ = 0;
  others_cores_ = {};
}

double JobTracker::job_ns(const AppSetting& setting, const Observation& outcome) const {
  OppChoice opp{};
  for (int c = 0; c < outcome.cluster_count; ++c) opp[c] = outcome.cluster[c].opp;
  return execution_ns(platform_, profile_, platform_.mappings[setting.mapping], setting.level, opp);
}

void JobTracker::observe(const Observation& outcome) {
  const AppObservation& seen = outcome.app[app_];
  note_other_load(outcome);
  std::int64_t from_ns = outcome.now_ns - outcome.epoch_ns;
  for (const JobRecord& job : outcome.jobs()) {
    if (job.app != app_ || job.dropped) continue;
    from_ns = std::max(from_ns, job.start_ns);
    progress_ += static_cast<double>(job.finish_ns - from_ns) /
                 (job_ns(job.setting, outcome) * crowding(job.setting.mapping, others_in_epoch_));
    from_ns = job.finish_ns;
    job_finished(job);
    progress_ = 0;
  }
  note_releases(outcome);
  if (seen.backlog > 0) {
    from_ns = std::max(from_ns, seen.oldest_release_ns);
    if (progress_ == 0) running_ = seen.setting;  // it started within this epoch, or starts now
    if (outcome.now_ns > from_ns) {
      progress_ += static_cast<double>(outcome.now_ns - from_ns) /
                   (job_ns(running_, outcome) * crowding(running_.mapping, others_in_epoch_));
    }
  } else {
    progress_ = 0;
  }
}

void JobTracker::job_finished(const JobRecord& job) {
  if (!(progress_ > 0) || !std::isfinite(progress_)) return;
  const int m = job.setting.mapping;
  const double expected = work_ * static_cast<double>(model_error_[m]);
  const double ratio = std::clamp(progress_ / expected, 1 / kWinsorise, kWinsorise);
  const double error = work_ * (ratio - 1);
  const double known = model_error_[m];
  model_error_[m] = static_cast<float>(std::clamp(
      known * (1 + kModelErrorWeight * (ratio - 1)) + kModelErrorLeak * (1 - known), 0.25, 8.0));
  deviation_ += kDeviationWeight * (std::abs(error) - deviation_);
  work_ += kWorkWeight * error;
}

void JobTracker::note_releases(const Observation& outcome) {
  const AppObservation& seen = outcome.app[app_];
  for (std::uint32_t i = 0; i < seen.released; ++i) {
    if (released_ > 0) {
      const double gap =
          static_cast<double>(outcome.now_ns - release_[(released_ - 1) % release_.size()]);
      shortest_gap_ns_ =
          shortest_gap_ns_ <= 0 ? gap : std::min(gap, shortest_gap_ns_ * (1 + kGapRecovery));
    }
    release_[released_++ % release_.size()] = outcome.now_ns;
  }
  backlog_ = std::min<std::uint32_t>(
      seen.backlog, static_cast<std::uint32_t>(std::min<std::uint64_t>(released_, 64)));
  if (backlog_ > 0) release_[(released_ - backlog_) % release_.size()] = seen.oldest_release_ns;
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
    const double share = running_share(outcome, a);
    if (a == app_) duty_ += weight * (share - duty_);
    const AppObservation& seen = outcome.app[a];
    const AppSetting& used = seen.finished > 0 ? seen.last_setting : seen.setting;
    for (int c = 0; c < outcome.cluster_count; ++c) {
      const double busy = share * platform_.mappings[used.mapping].cores[c];
      background[c] -= busy;
      if (a != app_) others_in_epoch_[c] += busy;
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
  for (std::size_t c = 0; c < platform_.clusters.size() && c < kMaxClusters; ++c) {
    if (wanted.cores[c] == 0) continue;
    crowding = std::max(crowding, (wanted.cores[c] + others[c]) / platform_.clusters[c].cores);
  }
  return crowding;
}

void JobTracker::set_company(const std::array<double, kMaxClusters>& cores) {
  other_load_ = 0;
  for (std::size_t c = 0; c < platform_.clusters.size() && c < kMaxClusters; ++c) {
    others_cores_[c] = background_cores_[c] + cores[c];
    other_load_ = std::max(other_load_, others_cores_[c] / platform_.clusters[c].cores);
  }
}

void JobTracker::save(ByteWriter& out) const {
  out.f64(work_);
  out.f64(deviation_);
  out.u32(static_cast<std::uint32_t>(platform_.mappings.size()));
  for (std::size_t m = 0; m < platform_.mappings.size(); ++m) out.f32(model_error_[m]);
}

void JobTracker::load(ByteReader& in) {
  const double work = in.f64(), deviation = in.f64();
  in.expect(static_cast<std::uint32_t>(platform_.mappings.size()), "number of mappings");
  auto error = model_error_;
  for (std::size_t m = 0; m < platform_.mappings.size(); ++m) error[m] = in.f32();
  const auto outside = [](double v) { return v < 0.01 || v > 100; };
  if (outside(work) || deviation < 0 || deviation > 100 ||
      std::any_of(error.begin(),
                  error.begin() + static_cast<std::ptrdiff_t>(platform_.mappings.size()),
                  outside)) {
    in.reject("its estimate of the jobs' work is out of range");
  }
  work_ = work;
  deviation_ = deviation;
  model_error_ = error;
}

}  // namespace flyball
