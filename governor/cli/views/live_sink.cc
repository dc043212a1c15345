#include "governor/cli/views/live_sink.h"

#include <algorithm>
#include <cstring>

namespace flyball::cli {
namespace {

constexpr double kSmoothing_ns = 500e6;  // short enough to follow a change, long enough to be read

}  // namespace

void LiveSink::on_epoch(const EpochEvent& event) {
  const Observation& now = event.outcome;
  const bool first = state_.now_ns == 0;
  const double share = first ? 1 : std::min(1.0, static_cast<double>(now.epoch_ns) / kSmoothing_ns);
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
    to.capped = from.opp > from.opp_cap;
  }
  for (int a = 0; a < now.app_count; ++a) {
    const AppObservation& from = now.app[a];
    LiveState::App& to = state_.app[a];
    to.active = from.active;
    to.setting = from.setting;
    to.latency_ns = from.last_latency_ns;
    to.deadline_ns = from.required.deadline_ns;
    to.released += from.released;
    to.finished += from.finished;
    to.missed += from.missed;
    to.backlog = from.backlog;
    state_.finished += from.finished;
  }
  for (const JobRecord& job : now.jobs()) state_.app[job.app].infeasible += job.infeasible;
  state_.explored = event.why.explored;
  state_.verdict = event.verdict;
  std::memcpy(state_.why, event.why.text, sizeof state_.why);
  state_.why[sizeof state_.why - 1] = '\0';
  latest_.put(state_);
}

}  // namespace flyball::cli
