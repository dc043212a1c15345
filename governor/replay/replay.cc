#include "governor/replay/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "governor/loop/shield.h"
#include "governor/metrics/session.h"
#include "governor/replay/drawn_weights.h"
#include "governor/replay/record_guard.h"
#include "kernels/base/random.h"

namespace flyball {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kMissed = 100;       // of one job, in %
constexpr std::size_t kFewJobs = 30;  // for intervals from the central limit theorem

/// Whether a decision chose what the jobs to come are to run with, rather than kept it. What is chosen
/// may be clocks alone, as when a job has just started.
bool chose_setting(const Decision& decided, bool changed, bool clocks_alone) {
  return changed || (decided.fresh && (decided.has_runner_up || !clocks_alone));
}

class Retelling {
 public:
  Retelling(const Belief& belief, Agent& agent)
      : belief_(belief),
        guard_(belief.mean),
        agent_(agent),
        shield_(belief, shield_options(agent)) {
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
    wanted_.reset();
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
    const bool started = any_started(*before_);
    const Action executed = would_execute(started);
    if (!(row.applied == decided_.action)) agent_.replaced(*before_, decided_.action, row.applied);
    ++result.decisions;
    const bool same_setting = executed.app == row.applied.app;
    const bool same_clocks = executed.opp == row.applied.opp;
    result.agreed_decisions += same_setting && same_clocks;

    const double probability = row.recorded ? row.executed_probability() : 1;
    // A decision that left nothing to chance ends no draw, unless it says that it chose again.
    const bool chose =
        chose_setting(row.decision, row.applied.app != in_force_.app, started || probability == 1);
    draws_.decide({probability, chose, same_setting, same_clocks}, forecast_);
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
    // Of one that forecasts, the first jobs are from before it did.
    const auto forecast = std::ranges::find_if(
        jobs_, [](const Outcome& one) { return !std::isnan(one.expected_time_ms); });
    if (forecast != jobs_.end()) jobs_.erase(jobs_.begin(), forecast);
    result.jobs = jobs_.size();
    std::vector<LoggedJob> logged(jobs_.size());
    const auto figure = [&](std::string_view key, double Outcome::*outcome,
                            double Outcome::*prediction, double top) {
      ReplayedFigure& one = result.figures.emplace_back();
      one.key = key;
      for (std::size_t i = 0; i < jobs_.size(); ++i) {
        logged[i] = {jobs_[i].*outcome, jobs_[i].weight, jobs_[i].*prediction, jobs_[i].shared};
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
    std::size_t shared = 0;
  };

  bool any_started(const Observation& now) {
    bool any = false;
    for (std::size_t a = 0; a < static_cast<std::size_t>(now.app_count); ++a) {
      const RunningJobObservation& run = now.app[a].running;
      if (!run.busy || run.sequence + 1 == running_[a]) continue;
      running_[a] = run.sequence + 1;
      any = true;
    }
    return any;
  }

  /// What the policy would have had executed. It goes on from what the record had in force; where it
  /// only keeps that setting, its own choice is the last one that it made itself.
  Action would_execute(bool started) {
    const bool changed = decided_.action.app != in_force_.app;
    const bool chose = !wanted_ || chose_setting(decided_, changed, started);
    Action executed = decided_.action;
    if (!chose) executed.app = *wanted_;
    shield_.check(*before_, executed,
                  executed.app == decided_.action.app ? decided_.trial : Trial{});
    if (chose) wanted_ = executed.app;
    return executed;
  }

  /// Ends a job's stretch.
  void count(const JobRecord& job) {
    const bool queued = job.release_ns < last_finish_ns_;
    last_finish_ns_ = job.finish_ns;
    const DrawnWeight drawn = draws_.end_job(!job.dropped && !queued);
    if (job.dropped || queued) {
      ++result.queued_jobs;
      return;
    }
    unknown_ = unknown_ || drawn.unknown;
    Outcome& one = jobs_.emplace_back();
    one.energy_mj = job.energy_mj;
    one.miss_pct = job.missed ? kMissed : 0;
    one.time_ms = static_cast<double>(job.execution_ns()) * 1e-6;
    one.weight = drawn.weight;
    one.shared = drawn.shared;
    // What it expected of an earlier job: what it expects of this one depends on what was drawn.
    if (const Forecast& forecast = drawn.forecast; forecast.time_ns > 0) {
      one.expected_energy_mj = forecast.energy_mj;
      one.expected_miss_pct = 100 * forecast.miss_probability;
      one.expected_time_ms = forecast.time_ns * 1e-6;
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
    if (overlap.mean_weight - 4 * overlap.mean_weight_error > 1)
      return fmt::format(
          "weights that are 1 on average, if what it does is independent of what the record's "
          "policy "
          "drew, are {:.3g} here: its choices go with that policy's own",
          overlap.mean_weight);
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
  DrawnWeights draws_;
  std::optional<std::array<AppSetting, kMaxApps>> wanted_;  ///< chosen last, were it its own run
  std::array<std::uint64_t, kMaxApps> running_{};           ///< sequence + 1 of the job seen last
  std::vector<Outcome> jobs_;
  std::uint64_t unlisted_ = 0;
  std::int64_t last_finish_ns_ = 0;
  int bound_ = 0;
  bool several_ = false, hot_ = false, unknown_ = false;
};

}  // namespace

std::uint64_t own_dice(std::uint64_t seed) {
  constexpr std::uint64_t kReplayed = 0x7265706c61796564;  // of no run that may have been recorded
  return Random(seed, kReplayed).next();
}

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
