#include "governor/cli/verbs/live_run.h"

#include <algorithm>
#include <memory>

#include "agents/agent.h"
#include "agents/policy_file.h"
#include "agents/static_best.h"
#include "env/emulated/emulated_platform.h"
#include "env/spaces/spaces.h"
#include "governor/cli/progress.h"
#include "governor/cli/views/display.h"
#include "governor/compare/hindsight.h"
#include "governor/metrics/session.h"
#include "governor/record/recorder.h"

namespace flyball::cli {
namespace {

/// How long the run lasted, from the epochs.
class Stopwatch final : public EpochSink {
 public:
  void on_epoch(const EpochEvent& event) override { now_ns_ = event.outcome.now_ns; }
  double seconds() const { return static_cast<double>(now_ns_) / 1e9; }

 private:
  std::int64_t now_ns_ = 0;
};

/// What a job consists of on this machine: measured once, so that every policy meets the same jobs.
void take_measure(const EmulatedPlatform& platform, Stream& stream) {
  stream.inference_ns = platform.inference_ns();
  for (std::size_t app = 0; app < stream.scenario.apps.size(); ++app) {
    stream.inferences_per_job.push_back(platform.inferences_per_job(static_cast<int>(app)));
  }
}

/// The best single configuration is searched in simulation: on real jobs there is no hindsight.
std::unique_ptr<Agent> make_live_agent(const LiveRun& run, const Scenario& scenario,
                                       const AgentContext& context,
                                       const InterruptScope& interrupt) {
  if (run.policy != "static_best") return make_agent(run.policy, context);
  Progress progress("searching the best configuration in simulation");
  HindsightOptions options;
  options.first_seed = context.seed;
  options.stop = &interrupt.stop();
  options.progress = [&](double done) { progress.update(done); };
  const Action best = best_in_hindsight(context.platform, scenario, options).action;
  return make_agent("static_best:" + format_action(context.platform, scenario, best), context);
}

}  // namespace

std::vector<Tally> tallies_of(const Stream& stream) {
  // All applications run the engine's one model, so the first one's levels are everyone's.
  const auto profile = static_cast<std::size_t>(stream.scenario.apps[0].profile);
  const AppProfile& app = stream.platform.apps[profile];
  std::vector<Tally> tallies;
  for (int level = 0; level < app.level_count(); ++level) {
    const bool int8 = app.levels[static_cast<std::size_t>(level)].int8;
    tallies.push_back(stream.engine.tally(app.network_width(level),
                                          int8 ? Precision::kInt8 : Precision::kFloat32));
  }
  return tallies;
}

Scenario with_duration(Scenario scenario, double duration_s) {
  const auto duration_ns = static_cast<std::int64_t>(duration_s * 1e9);
  const auto stretch = [&](std::int64_t& stop_ns) {
    stop_ns = stop_ns >= scenario.duration_ns ? duration_ns : std::min(stop_ns, duration_ns);
  };
  for (AppSpec& app : scenario.apps) stretch(app.stop_ns);
  for (BackgroundLoad& load : scenario.background) stretch(load.stop_ns);
  scenario.duration_ns = duration_ns;
  return scenario;
}

void check_runs(const Stream& stream, const std::vector<LiveRun>& runs) {
  const Spaces spaces = Spaces::of(stream.platform, stream.scenario);
  const AgentContext context{stream.platform, stream.scenario,
                             spaces,          reward_weights(stream.platform, stream.scenario),
                             stream.seed,     nullptr};
  for (const LiveRun& run : runs) {
    if (run.policy != "static_best") make_agent(run.policy, context);
  }
}

LiveResult run_live(Stream& stream, const LiveRun& run, const InterruptScope& interrupt, bool plain,
                    const std::function<void()>& before_start) {
  const Scenario scenario = with_duration(stream.scenario, run.duration_s);
  // The spaces are those of the scenario as it was trained on; its length is not part of them.
  const Spaces spaces = Spaces::of(stream.platform, stream.scenario);
  const RewardWeights weights = reward_weights(stream.platform, scenario);

  EmulatedOptions options;
  options.seed = stream.seed;
  options.inference_ns = stream.inference_ns;
  EmulatedPlatform platform(stream.platform, scenario, stream.engine, options);
  if (stream.inference_ns == 0) take_measure(platform, stream);

  const AgentContext context{stream.platform, scenario, spaces, weights, stream.seed, nullptr};
  const std::unique_ptr<Agent> agent = make_live_agent(run, scenario, context, interrupt);
  if (!run.policy_file.empty()) agent->load(read_policy(run.policy_file).payload);

  LiveResult result;
  result.policy = run.policy;
  std::unique_ptr<Recorder> recorder;
  if (!run.record.empty()) {
    recorder = std::make_unique<Recorder>(
        run.record, recording_info(stream.platform, scenario, spaces, run.policy, stream.seed));
  }
  if (before_start) before_start();
  Stopwatch stopwatch;
  LiveSink live(stream.platform);
  SettingSink settings;
  SessionOptions session;
  session.sinks = {&stopwatch, &live, &settings};
  const std::vector<Tally> before = tallies_of(stream);
  if (recorder) session.sinks.push_back(recorder.get());
  {
    const InterruptsPlatform interrupts(platform);
    const Display display(stream.platform, scenario, run.title, live, plain);
    if (!interrupt.stopped())
      result.metrics = run_session(platform, *agent, weights, session).metrics;
  }
  result.measured_s = stopwatch.seconds();
  result.uses = settings.uses();
  result.tallies = tallies_of(stream);
  for (std::size_t level = 0; level < before.size(); ++level)
    result.tallies[level] = result.tallies[level] - before[level];
  result.notes = platform.notes();
  if (recorder) {
    result.record_problem = recorder->finish();
    if (!result.record_problem.empty()) result.notes.push_back(result.record_problem);
  }
  return result;
}

}  // namespace flyball::cli
