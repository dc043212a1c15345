#include "governor/cli/views/live_sink.h"

#include <algorithm>

namespace flyball::cli {
namespace {

constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr double kSmoothing_ns = 500e6;  // short enough to follow a change, long enough to be read

}  // namespace

void LiveSink::on_epoch(const EpochEvent& event) noexcept {
  const Observation& now = event.outcome;
  const bool first = state_.now_ns == 0;
  const double share = first ? 1 : std::min(1.0, static_cast<double>(now.epoch_ns) / kSmoothing_ns);
  state_.now = now;
  state_.now_ns = now.now_ns;
  state_.energy_mj += now.energy_mj;
  state_.power_mw += share * (now.power_mw - state_.power_mw);
  state_.clusters = now.cluster_count;
  state_.apps = now.app_count;
  for (int c = 0; c < now.cluster_count; ++c) {
    const ClusterObservation& from = now.cluster[c];
    LiveState::Cluster& to = state_.cluster[c];
    to.util_mean = first ? from.util_mean : to.util_mean + share * (from.util_mean - to.util_mean);
    to.freq_khz = from.freq_khz;
    to.temp_c = from.temp_c;
    to.capped_epochs += from.opp_cap < platform_.clusters[c].max_opp();
  }
  for (int a = 0; a < now.app_count; ++a) {
    const AppObservation& from = now.app[a];
    LiveState::App& to = state_.app[a];
    to.active = from.active;
    to.setting = from.setting;
    to.latency_ns = from.last_latency_ns;
    to.deadline_ns = from.required.deadline_ns;
    to.jobs.add(from, now.now_ns);
  }
  for (const JobRecord& job : now.jobs()) {
    state_.app[job.app].infeasible += job.infeasible;
    if (job.dropped) continue;
    ++state_.ran;
    state_.accuracy_sum_pct += job.accuracy_pct;
  }
  add_to_history(now);
  keep_decision(event);
  latest_.put(state_);
}

void LiveSink::add_to_history(const Observation& now) {
  second_ns_ += now.epoch_ns;
  second_energy_mj_ += now.energy_mj;
  for (int a = 0; a < now.app_count; ++a) second_.missed += now.app[a].missed;
  for (const JobRecord& job : now.jobs()) {
    const auto allowed_ns = static_cast<float>(job.deadline_ns - job.release_ns);
    if (job.dropped || allowed_ns <= 0) continue;
    second_.deadline_share =
        std::max(second_.deadline_share, static_cast<float>(job.latency_ns()) / allowed_ns);
  }
  const std::int64_t complete = now.now_ns / kSecond_ns;
  if (complete <= state_.seconds) return;
  second_.power_mw =
      static_cast<float>(second_energy_mj_ / (static_cast<double>(second_ns_) * 1e-9));
  // An epoch of several seconds is the same in each.
  for (std::int64_t s = std::max(state_.seconds, complete - LiveState::kHistory); s < complete; ++s)
    state_.history[static_cast<std::size_t>(s % LiveState::kHistory)] = second_;
  state_.seconds = complete;
  second_ = {};
  second_energy_mj_ = 0;
  second_ns_ = 0;
}

void LiveSink::keep_decision(const EpochEvent& event) {
  bool for_job = false;
  for (int a = 0; a < event.before.app_count; ++a)
    for_job = for_job || event.before.app[a].backlog > 0;
  // Nor is that a job goes on as chosen: what was chosen is of interest, while that is in force.
  const bool goes_on = event.decided.reason.code == Reason::Code::kRunning &&
                       event.verdict == Shield::Verdict::kPassed;
  if ((!for_job || goes_on) && decided_for_job_) return;
  decided_for_job_ = for_job;
  state_.decision = event.decided;
  state_.verdict = event.verdict;
}

}  // namespace flyball::cli
