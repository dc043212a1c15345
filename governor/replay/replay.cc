#include "governor/replay/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "governor/loop/shield.h"
#include "governor/metrics/session.h"
#include "governor/replay/record_guard.h"

namespace flyball {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kMissed = 100;       // of one job, in %
constexpr std::size_t kFewJobs = 30;  // for intervals from the central limit theorem

/// What the decisions of a stretch of time say for another policy.
struct Stretch {
  double weight = 1;     ///< one over the probability of what was executed
  bool agreed = true;    ///< the other policy would have executed the same throughout
  bool unknown = false;  ///< somewhere the probability is not known
};

class Retelling {
 public:
  Retelling(const Belief& belief, Agent& agent)
      : belief_(belief), guard_(belief.mean), agent_(agent), shield_(belief, shield_options(agent)) {
    agent_.begin_run();
  }

  void on_info(const RecordingInfo& info) {
    weights_ = info.weights;
    guard_.on_info(info);
  }
  void on_start(const Observation& now) {
    *before_ = now;
    in_force_ = setting_in_force(now);
  }
  void on_bind(int slot, const Binding& binding, const Observation& now) {
    guard_.on_bind(slot, binding);
    agent_.bind(slot, binding, now);
    shield_.bind(slot, binding, now);
    *before_ = now;  // the next decision is made on it
    ++bound_;
    several_ = several_ || bound_ > 1;
  }
  void on_unbind(int slot) {
    agent_.unbind(slot);
    shield_.unbind(slot);
    --bound_;
  }

  void on_epoch(const Observation& now, const DecisionRow& row) {
    guard_.on_epoch(now, row);
    decided_.reset();
    decided_.action = in_force_;
    agent_.decide(*before_, decided_);
    Action executed = decided_.action;
    shield_.check(*before_, executed);
    const bool same = executed == row.applied;
    if (!(row.applied == decided_.action)) agent_.replaced(*before_, decided_.action, row.applied);
    ++result.decisions;
    result.agreed_decisions += same;

    const double probability = row.recorded ? row.executed_probability() : 1;
    stretch_.agreed = stretch_.agreed && same;
    if (probability > 0 && probability <= 1)
      stretch_.weight /= probability;
    else
      stretch_.unknown = true;
    unlisted_ += now.jobs_unlisted;
    for (std::uint8_t i = 0; i < decided_.forecasts; ++i) forecast_ = decided_.forecast[i];
    for (int c = 0; c < now.cluster_count; ++c) {
      const ClusterObservation& cluster = now.cluster[c];
      const std::size_t top = belief_.mean.clusters[static_cast<std::size_t>(c)].opps.size() - 1;
      hot_ = hot_ || cluster.opp_cap < top;
    }
    for (const JobRecord& job : now.jobs()) count(job);

    judge(weights_, now, *reward_);
    shield_.learn(now, row.applied);
    agent_.learn(now, row.applied, *reward_);
    *before_ = now;
    in_force_ = row.applied;
  }

  void finish() {
    agent_.end_run();
    result.jobs = jobs_.size();
    std::vector<LoggedJob> logged(jobs_.size());
    const auto figure = [&](std::string_view key, double Outcome::*outcome,
                            double Outcome::*prediction, double top) {
      ReplayedFigure& one = result.figures.emplace_back();
      one.key = key;
      for (std::size_t i = 0; i < jobs_.size(); ++i) {
        logged[i] = {jobs_[i].*outcome, jobs_[i].weight, jobs_[i].*prediction};
        one.recorded += jobs_[i].*outcome / static_cast<double>(jobs_.size());
      }
      if (result.figures.size() == 1) {
        if (!logged.empty()) result.overlap = overlap_of(logged);
        result.refusal = refusal();
      }
      if (result.refusal.empty()) one.estimates = off_policy_estimates(logged, top);
    };
    figure("job_energy_mj", &Outcome::energy_mj, &Outcome::expected_energy_mj, 0);
    figure("deadline_miss_pct", &Outcome::miss_pct, &Outcome::expected_miss_pct, kMissed);
    figure("execution_ms", &Outcome::time_ms, &Outcome::expected_time_ms, 0);
  }

  Replay result;

 private:
  struct Outcome {
    double energy_mj = 0, miss_pct = 0, time_ms = 0;
    double expected_energy_mj = kNone, expected_miss_pct = kNone, expected_time_ms = kNone;
    double weight = 0;
  };

  /// Ends a job's stretch.
  void count(const JobRecord& job) {
    const Stretch before = last_stretch_;
    last_stretch_ = stretch_;
    stretch_ = {};
    const bool queued = job.release_ns < last_finish_ns_;
    last_finish_ns_ = job.finish_ns;
    if (job.dropped || queued) {
      ++result.queued_jobs;
      return;
    }
    unknown_ = unknown_ || before.unknown || last_stretch_.unknown;
    Outcome& one = jobs_.emplace_back();
    one.energy_mj = job.energy_mj;
    one.miss_pct = job.missed ? kMissed : 0;
    one.time_ms = static_cast<double>(job.execution_ns()) * 1e-6;
    one.weight = before.agreed && last_stretch_.agreed ? before.weight * last_stretch_.weight : 0;
    if (forecast_.time_ns > 0 && forecast_.sequence == job.sequence) {
      one.expected_energy_mj = forecast_.energy_mj;
      one.expected_miss_pct = 100 * forecast_.miss_probability;
      one.expected_time_ms = forecast_.time_ns * 1e-6;
    }
  }

  std::string refusal() const {
    if (result.recording.damaged_blocks + result.recording.missing_blocks > 0)
      return "parts of the recording are missing: what the policy had been told is not known";
    if (unlisted_ > 0)
      return fmt::format("{} jobs are not in the recording, which lists 32 an epoch", unlisted_);
    if (several_)
      return "several applications ran at a time: what one of them does changes the others' jobs";
    if (hot_)
      return "heat held a clock down: what came of a job depends on all that was done before";
    if (10 * result.queued_jobs > jobs_.size() + result.queued_jobs)
      return fmt::format(
          "{} of {} jobs waited for another or were dropped: what came of them "
          "depends on all that was done before",
          result.queued_jobs, jobs_.size() + result.queued_jobs);
    if (jobs_.size() < kFewJobs)
      return fmt::format("{} jobs are too few; {} are needed", jobs_.size(), kFewJobs);
    if (unknown_) return "the recorded policy did not know the probability of what was executed";
    const Overlap& overlap = result.overlap;
    if (overlap.effective_jobs < static_cast<double>(kFewJobs))
      return fmt::format(
          "it would have done what was done in {:.3g} % of the jobs, and they tell as much as "
          "{:.3g} "
          "jobs would; {} are needed",
          overlap.agreed_pct, overlap.effective_jobs, kFewJobs);
    // The weights are 1 on average where all that the policy does had a chance.
    if (overlap.mean_weight + 4 * overlap.mean_weight_error < 1)
      return fmt::format(
          "it would have done what was done in {:.3g} % of the jobs; in {:.3g} % and more what it "
          "would have done had no chance with the recorded policy",
          overlap.agreed_pct, 100 * (1 - overlap.mean_weight - 4 * overlap.mean_weight_error));
    return "";
  }

  const Belief& belief_;
  RecordGuard guard_;
  Agent& agent_;
  RewardWeights weights_;  ///< of the record
  Shield shield_;
  std::unique_ptr<Observation> before_ = std::make_unique<Observation>();
  std::unique_ptr<Reward> reward_ = std::make_unique<Reward>();
  Action in_force_;
  Decision decided_;
  Forecast forecast_;
  Stretch stretch_, last_stretch_;
  std::vector<Outcome> jobs_;
  std::uint64_t unlisted_ = 0;
  std::int64_t last_finish_ns_ = 0;
  int bound_ = 0;
  bool several_ = false, hot_ = false, unknown_ = false;
};

}  // namespace

Replay replay(const std::string& recording, const Belief& belief, Agent& agent) {
  Retelling retelling(belief, agent);
  RecordingVisitor visitor;
  visitor.on_info = [&](const RecordingInfo& info) { retelling.on_info(info); };
  visitor.on_start = [&](const Observation& now) { retelling.on_start(now); };
  visitor.on_bind = [&](int slot, const Binding& binding, const Observation& now) {
    retelling.on_bind(slot, binding, now);
  };
  visitor.on_unbind = [&](int slot) { retelling.on_unbind(slot); };
  visitor.on_epoch = [&](const Observation& now, const DecisionRow& row) {
    retelling.on_epoch(now, row);
  };
  retelling.result.recording = read_recording(recording, visitor);
  retelling.finish();
  return std::move(retelling.result);
}

}  // namespace flyball
