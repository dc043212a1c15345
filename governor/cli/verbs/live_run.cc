#include "governor/cli/verbs/live_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "agents/agent.h"
#include "agents/static_best.h"
#include "env/emulated/emulated_platform.h"
#include "env/ledger/cpu_allocator.h"
#include "env/model/declared.h"
#include "env/model/network_levels.h"
#include "env/sim/faulty_sensors.h"
#include "governor/channel/channel_service.h"
#include "governor/cli/progress.h"
#include "governor/cli/views/display.h"
#include "governor/compare/hindsight.h"
#include "governor/loop/learned_writer.h"
#include "governor/machine/machine_profile.h"
#include "governor/metrics/session.h"
#include "governor/record/recorder.h"
#include "kernels/base/counted.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

// Clocks, power and heat of an emulated platform are modelled.
const std::vector<std::string> kMeasured = {"util", "util_mean", "counters"};

/// How long the run lasted, from the epochs.
class Stopwatch final : public EpochSink {
 public:
  void on_epoch(const EpochEvent& event) noexcept override { now_ns_ = event.outcome.now_ns; }
  double seconds() const { return static_cast<double>(now_ns_) / 1e9; }

 private:
  std::int64_t now_ns_ = 0;
};

bool is_searched(const std::string& policy) {
  const AgentInfo* info = find_agent(policy);
  return info != nullptr && info->searched && policy == info->name;
}

/// What a job consists of on this machine: found once, so that every policy meets the same jobs.
void take_measure(const EmulatedPlatform& platform, Stream& stream) {
  stream.inference_ns = platform.inference_ns();
  for (std::size_t app = 0; app < stream.scenario.apps.size(); ++app) {
    stream.inferences_per_job.push_back(platform.inferences_per_job(static_cast<int>(app)));
  }
}

/// What is believed, with the times that this machine takes now in place of assumptions: a second of
/// measuring. The assumed gain of a second core is what is most often wrong.
PlatformSpec with_times_now(PlatformSpec believed, const Scenario& scenario,
                            InferenceEngine& engine, const InterruptScope& interrupt) {
  constexpr std::int64_t kBudgetNs = 1'000'000'000;
  constexpr std::int64_t kPauseNs = 500'000;  // as between jobs
  Progress progress("measuring this machine");
  const std::vector<CpuSet> cpus = growing_cpu_sets(engine.max_active());
  const EngineCalibration measured = engine.calibrate(
      cpus, kBudgetNs, [&](double done) { progress.update(done); }, kPauseNs, &interrupt.stop());
  const MachineProfile times = make_profile(measured, engine.network(), "", 0);
  for (const AppSpec& app : scenario.apps)
    times.apply(believed.apps[static_cast<std::size_t>(app.profile)],
                static_cast<int>(cpus.size()));
  return believed;
}

/// The best single configuration is searched in simulation: on real jobs there is no hindsight.
std::unique_ptr<Agent> make_live_agent(const LiveRun& run, const Scenario& scenario,
                                       const AgentContext& context, const PlatformSpec& times,
                                       const InterruptScope& interrupt) {
  if (!is_searched(run.policy)) return make_agent(run.policy, context);
  Progress progress("searching the best configuration in simulation");
  HindsightOptions options;
  options.first_seed = context.seed;
  options.stop = &interrupt.stop();
  options.progress = [&](double done) { progress.update(done); };
  const Action best = best_in_hindsight(times, scenario, options).action;
  return make_agent(run.policy + ":" + format_action(times, scenario, best), context);
}

/// Where it cannot be had, the run goes on and says so.
std::unique_ptr<ChannelService> serve_applications(const LiveRun& run, Platform& platform,
                                                   const PlatformSpec& spec,
                                                   const Scenario& scenario, std::string& problem) {
  if (run.channel_dir.empty()) return nullptr;
  ChannelServiceOptions options;
  options.state_dir = run.channel_dir;
  options.slots = static_cast<int>(scenario.apps.size());
  for (const AppSpec& app : scenario.apps) options.names.push_back(app.name);
  const CpuAllocator cpus(spec, thread_affinity());
  for (int c = 0; c < static_cast<int>(spec.clusters.size()); ++c)
    options.platform.cluster_cpus.push_back(cpus.cluster(c));
  options.platform.emulated = true;
  try {
    return std::make_unique<ChannelService>(platform, spec, options);
  } catch (const Error& error) {
    if (run.channel_asked) throw;
    problem = error.what();
    return nullptr;
  }
}

}  // namespace

std::vector<Tally> tallies_of(const Stream& stream) {
  // All applications run the engine's one model, so the first one's levels are everyone's.
  const auto profile = static_cast<std::size_t>(stream.scenario.apps[0].profile);
  const AppProfile& app = stream.platform.apps[profile];
  std::vector<Tally> tallies;
  for (int level = 0; level < app.level_count(); ++level) {
    const NetworkLevel of = network_level(app, level);
    tallies.push_back(
        stream.engine.tally(of.width, of.int8 ? Precision::kInt8 : Precision::kFloat32));
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
  const AgentContext context{stream.belief, reward_weights(stream.belief), stream.seed, nullptr};
  for (const LiveRun& run : runs) {
    if (!is_searched(run.policy)) make_agent(run.policy, context);
  }
}

LiveResult run_live(Stream& stream, const LiveRun& run, const InterruptScope& interrupt, bool plain,
                    const Introduce& before_start) {
  const Scenario scenario = with_duration(stream.scenario, run.duration_s);
  const RewardWeights weights = reward_weights(stream.belief);
  const bool measures = is_searched(run.policy) && !stream.profiled;
  // Before the platform, whose executor is then the one to use the engine.
  const PlatformSpec times =
      measures ? with_times_now(stream.belief.mean, scenario, stream.engine, interrupt)
               : stream.belief.mean;

  EmulatedOptions options;
  options.seed = stream.seed;
  options.inference_ns = stream.inference_ns;
  options.counters = thread_counters;
  const PlatformSpec declared = as_declared(stream.platform, stream.belief);
  EmulatedPlatform platform(declared, scenario, stream.engine, options);
  if (stream.inferences_per_job.empty()) take_measure(platform, stream);

  const AgentContext context{stream.belief, weights, stream.seed, nullptr};
  const std::unique_ptr<Agent> agent = make_live_agent(run, scenario, context, times, interrupt);
  LiveResult result;
  result.policy = run.policy;
  if (!run.start.learned.empty()) result.notes = agent->load(run.start.learned, run.start.as_prior);
  if (!run.start.differs.empty()) result.notes.push_back(run.start.differs);

  std::unique_ptr<Recorder> recorder;
  if (!run.record.empty()) {
    RecordingInfo info = recording_info(stream.platform, stream.belief, scenario, run.policy,
                                        stream.seed, weights, kMeasured);
    info.hashes.profile = stream.times_hash;
    info.hashes.policy = run.start.learned_hash();
    recorder = std::make_unique<Recorder>(run.record, info, Recorder::Options{.compress = true});
  }
  std::unique_ptr<LearnedWriter> learned;
  if (!run.learn_to.empty()) {
    learned = std::make_unique<LearnedWriter>(
        *agent, run.learn_to, policy_identity(run.policy, stream.belief, stream.times_hash));
  }
  std::string channel_problem;
  const std::unique_ptr<ChannelService> channel =
      serve_applications(run, platform, declared, scenario, channel_problem);
  Platform& joined = channel ? channel->platform() : static_cast<Platform&>(platform);
  // What the scenario makes of the sensors is what is seen and recorded; the figures are of what was.
  FaultySensors sensed(joined, declared, scenario.sensors, stream.seed);
  Platform& seen = scenario.sensors.any() ? static_cast<Platform&>(sensed) : joined;
  if (before_start) before_start(channel_problem);
  Stopwatch stopwatch;
  LiveSink live(stream.platform);
  SettingSink settings(stream.platform, scenario.apps.size());
  MonitorFigures monitors(stream.platform, weights, kMeasured);
  SessionOptions session;
  session.truth = &stream.platform;
  session.measuring = {&monitors};
  session.sinks = {&stopwatch, &live, &settings};
  const std::vector<Tally> before = tallies_of(stream);
  const CpuThrottling throttled_before = read_cpu_throttling();
  if (recorder) session.sinks.push_back(recorder.get());
  if (learned) session.sinks.push_back(learned.get());
  {
    const InterruptsPlatform interrupts(platform);
    const Display display(stream.platform, scenario, run.title, live, plain);
    if (!interrupt.stopped()) {
      SessionResult done = run_session(seen, stream.belief, *agent, weights, session);
      result.metrics = std::move(done.metrics);
      result.whole = done.status == Status::kFinished;
    }
  }
  if (read_cpu_quota().cpus) result.throttling = read_cpu_throttling() - throttled_before;
  result.counters = platform.counters();
  result.measured_s = stopwatch.seconds();
  result.uses = settings.uses();
  result.monitors = monitors.result();
  const std::uint64_t joined_jobs = settings.joined_jobs();
  if (joined_jobs > 0)
    result.notes.push_back(fmt::format(
        "{} of applications that joined {} in the totals, and other policies run without",
        counted(static_cast<std::int64_t>(joined_jobs), "job"), joined_jobs == 1 ? "is" : "are"));
  result.tallies = tallies_of(stream);
  for (std::size_t level = 0; level < before.size(); ++level)
    result.tallies[level] = result.tallies[level] - before[level];
  for (std::string& note : platform.notes()) result.notes.push_back(std::move(note));
  if (measures) {
    result.notes.push_back(
        "searched in simulation with times measured in the second before the run; 'flyball "
        "profile' "
        "measures them longer and keeps them");
  }
  if (learned) {
    result.learn_problem = learned->finish();
    if (!result.learn_problem.empty()) result.notes.push_back(result.learn_problem);
    const bool throttled = result.throttling && result.throttling->throttled > 0;
    if (result.learn_problem.empty() && (platform.ran_late() || throttled)) {
      result.notes.push_back(fmt::format(
          "what was learned meanwhile is kept all the same, in {}: remove that file, or run with "
          "--no-learn, where this machine is seldom so busy",
          run.learn_to));
    }
  }
  if (recorder) {
    result.record_problem = recorder->finish();
    if (!result.record_problem.empty()) result.notes.push_back(result.record_problem);
  }
  return result;
}

}  // namespace flyball::cli
