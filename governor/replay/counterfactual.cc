#include "governor/replay/counterfactual.h"

#include "env/sim/simulator.h"
#include "governor/metrics/session.h"
#include "governor/replay/recorded_decisions.h"

namespace flyball {

Metrics play_policy(const PlatformSpec& platform, const Scenario& scenario, const Belief& belief,
                    Agent& agent) {
  Simulator simulator(platform, scenario);
  SessionOptions session;
  session.truth = &platform;
  return run_session(simulator, belief, agent, reward_weights(belief), session).metrics;
}

Counterfactual counterfactual(const std::string& recording, const PlatformSpec& platform,
                              const Belief& belief, Agent& agent) {
  const RecordedRun run = read_recorded_run(recording, platform);
  const RecordedScenario found = recorded_scenario(run, platform);
  Counterfactual result;
  result.refusal = found.refusal;
  result.recorded = run.metrics;
  result.open_jobs = found.open_jobs;
  result.assumed = found.assumed;
  if (run.metrics.jobs > 0) result.time_error_pct = found.work_error_pct;
  if (!result.refusal.empty()) return result;
  result.replayed = play_recorded_decisions(run, platform, found.scenario, reward_weights(belief));
  result.other = play_policy(platform, found.scenario, belief, agent);
  return result;
}

}  // namespace flyball
