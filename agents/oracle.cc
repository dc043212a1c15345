#include "agents/oracle.h"

#include <algorithm>

#include "env/model/idle_states.h"
#include "env/sim/simulator.h"
#include "kernels/base/error.h"

// The plans, and how a fork is played with them. The search is in oracle_search.cc.

namespace flyball {
namespace {

constexpr double kOracleTempC =
    60;  // for the leakage of idling: the middle of what the boards reach

const Simulator& need_truth(const Simulator* truth) {
  if (truth == nullptr) {
    input_error("policy 'oracle'", "it needs to know the future, which only simulation does",
                "use it with 'flyball compare' on a simulated platform");
  }
  return *truth;
}

}  // namespace

Oracle::Oracle(const AgentContext& context)
    : truth_(need_truth(context.truth)), model_(truth_.model()) {
  for (int c = 0; c < model_.clusters; ++c) {
    const ClusterSpec& cluster = model_.spec.clusters[c];
    ClusterLoad load;
    load.gate_idle_cores = cluster.gate_idle_cores;
    load.temp_c = kOracleTempC;
    const double lowest_mw = cluster_power_mw(cluster, load);
    for (load.opp = 0; load.opp <= cluster.max_opp(); ++load.opp) {
      idle_above_mw_[c][load.opp] = cluster_power_mw(cluster, load) - lowest_mw;
    }
  }
}

void Oracle::decide(const Observation&, Decision& out) noexcept {
  out.reset();
  truth_.fork(now_);
  action_ = out.action;
  std::array<bool, kMaxApps> started{};
  for (int a = 0; a < model_.apps; ++a) {
    const LedgerApp& app = now_.jobs.app[a];
    if (app.generation % 2 == 0) continue;
    Plan& plan = plan_[a];
    started[a] = app.running && (!plan.running.made || plan.running.sequence != app.job.sequence);
    if (started[a]) {
      plan.running = plan.next;
      plan.running.made = true;
      plan.running.sequence = app.job.sequence;
      plan.running.setting = app.job_setting;
      plan.next.made = plan.searched = false;
    }
    action_.app[a] = plan.next.made ? plan.next.setting : app.setting;
  }
  // A job that comes slows those that run, through memory if not through cores: they are planned
  // again, around what it got.
  for (int a = 0; a < model_.apps; ++a) {
    if (started[a]) plan_opps(a, out);
  }
  const bool any = std::find(started.begin(), started.end(), true) != started.end();
  for (int a = 0; a < model_.apps && any; ++a) {
    if (!started[a] && now_.jobs.app[a].running && plan_[a].running.made) plan_opps(a, out);
  }
  for (int a = 0; a < model_.apps; ++a) {
    if (now_.jobs.app[a].generation % 2 == 0 || plan_[a].searched) continue;
    plan_next(a, out);
    plan_[a].searched = true;
    if (plan_[a].next.made) action_.app[a] = plan_[a].next.setting;
  }
  action_.opp = clocks(now_);
  for (int c = 0; c < model_.clusters; ++c) {
    action_.opp[c] = static_cast<std::uint8_t>(std::min<int>(action_.opp[c], opp_cap(now_, c)));
  }
  out.action = action_;
  if (!out.fresh && now_.jobs.running == 0) out.reason.code = Reason::Code::kIdle;
}

int Oracle::opp_cap(const SimState& state, int c) const {
  return std::min<int>(state.thermal.opp_cap[c], model_.spec.clusters[c].max_opp());
}

/// The frequencies of a moment: those of the jobs that run, and where none does those that stay up.
OppChoice Oracle::clocks(const SimState& state, int but_app) const {
  OppChoice opp{};
  for (int a = 0; a < model_.apps; ++a) {
    const LedgerApp& app = state.jobs.app[a];
    if (a == but_app || !app.started) continue;
    const Plan& plan = plan_[a];
    const JobPlan& job =
        plan.next.made && app.job.sequence >= plan.next.sequence ? plan.next : plan.running;
    if (!job.made) continue;
    for (int c = 0; c < model_.clusters; ++c) {
      if (job.opp[c] > opp[c] && (app.running || keeps_up(state, a, c, job))) opp[c] = job.opp[c];
    }
  }
  return opp;
}

/// Whether a clock stays up until the next job: if idling there costs less than the start of that
/// job at the lowest frequency, for as long as it takes to decide and to change it.
bool Oracle::keeps_up(const SimState& state, int a, int c, const JobPlan& last) const {
  const LedgerApp& app = state.jobs.app[a];
  const std::int64_t next_ns = app.arrivals.next_ns();
  if (next_ns == kNeverNs) return false;
  // Nor does a cluster sleep in the gap while another job runs on it, which would pay for the clock.
  for (int b = 0; b < model_.apps && !model_.spec.clusters[c].idle_states.empty(); ++b) {
    const LedgerApp& other = state.jobs.app[b];
    if (b != a && other.running && model_.spec.mappings[other.job_setting.mapping].cores[c] > 0)
      return false;
  }
  const std::int64_t finish_ns = app.job.release_ns + app.last_latency_ns;
  const double gap_ns = static_cast<double>(next_ns - finish_ns);
  const double idle_ns = gap_ns - saved_ns(model_.spec.clusters[c], gap_ns);
  const double change_ns =
      static_cast<double>(model_.decision_ns) + model_.spec.clusters[c].transition_latency_us * 1e3;
  return idle_above_mw_[c][last.opp[c]] * idle_ns <= last.power_mw * change_ns;
}

/// To the next event or to `until_ns`, as the control loop would; false at the scenario's end.
bool Oracle::step(SimState& state, std::int64_t until_ns) {
  action_.opp = clocks(state);
  return truth_.step(state, action_,
                     {.interval_ns = until_ns - state.now_ns,
                      .stop_at_release = true,
                      .stop_at_finish = true}) == Status::kOk;
}

bool Oracle::next_has_started(const SimState& state, int a) const {
  const LedgerApp& before = now_.jobs.app[a];
  const LedgerApp& app = state.jobs.app[a];
  return app.started && (!before.started || app.job.sequence != before.job.sequence);
}

bool Oracle::play_to_start(SimState& state, int a) {
  const LedgerApp& app = state.jobs.app[a];
  const std::int64_t end_ns = model_.scenario.duration_ns;
  if (app.waiting == 0 && app.arrivals.next_ns() >= end_ns) return false;
  while (!next_has_started(state, a)) {
    if (!step(state, kNeverNs)) return next_has_started(state, a);
  }
  return true;
}

/// Plays what all settings have in common: up to where one that is asked for is in force just
/// before the job starts (`scout_` says when), so that no wait for a release is played many times.
void Oracle::play_near(int a) {
  constexpr std::int64_t kSpareNs = 1000;  // longer thermal steps may move a finish by as little
  truth_.fork(now_, near_);
  const std::int64_t until_ns = scout_.jobs.app[a].start_ns - model_.decision_ns - kSpareNs;
  while (near_.now_ns < until_ns && step(near_, until_ns)) {
  }
  // An action that is not in force yet would be put off by another.
  if (near_.pending_ns != kNeverNs) truth_.fork(now_, near_);
}

}  // namespace flyball
