#include "governor/cli/verbs/run_linux.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "agents/agent.h"
#include "env/config/yaml.h"
#include "env/linux/linux_platform.h"
#include "governor/channel/channel_service.h"
#include "governor/channel/joined_agent.h"
#include "governor/cli/interrupt.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/linux_holding.h"
#include "governor/cli/verbs/sysfs_root.h"
#include "governor/cli/views/linux_live.h"
#include "governor/cli/views/status_report.h"
#include "governor/loop/control_loop.h"
#include "governor/machine/pending_policies.h"
#include "governor/machine/rival_watch.h"
#include "governor/metrics/session.h"
#include "governor/record/recorder.h"
#include "governor/record/recording_header.h"
#include "governor/service/notify.h"
#include "governor/status/status_service.h"
#include "kernels/base/counted.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"
#include "kernels/base/resident_code.h"

namespace flyball::cli {
namespace {

constexpr double kLeastS = 0.5;  // of what is left of a run, for another round

std::string power_text(const LinuxPlatform& platform, const LinuxMachine& machine) {
  if (!platform.power_source().empty())
    return fmt::format("Power is measured: {}{}.", platform.power_source(),
                       platform.power_only_while_busy()
                           ? "; while nothing runs it is modelled, for reading it would wake a core"
                           : "");
  return machine.energy_models.empty() || machine.energy_models.front().abstract
             ? "Power is modelled, with assumed voltages: nothing here measures it."
             : "Power is modelled, as the Linux kernel believes it: nothing here measures it.";
}

constexpr const char* kRealtimeFull =
    "There are more threads in real time than can be watched: where the others run, clocks may go "
    "below what schedutil would give.";

/// Threads come later, too.
class RealtimeSink final : public EpochSink {
 public:
  using Say = std::function<void(const std::string&)>;
  RealtimeSink(const LinuxPlatform& platform, Say say)
      : platform_(platform), said_(platform.realtime_list_full()), say_(std::move(say)) {}
  void on_epoch(const EpochEvent&) noexcept override {
    if (said_ || !platform_.realtime_list_full()) return;
    said_ = true;
    say_(kRealtimeFull);
  }

 private:
  const LinuxPlatform& platform_;
  bool said_;
  Say say_;
};

std::string introduction(const RunLinux& verb, const LinuxMachine& machine,
                         const LinuxPlatform& platform, const LinuxJobs* jobs,
                         const PendingPolicies& pending, bool asked_dry) {
  const int columns = Terminal::of(STDERR_FILENO).columns;
  std::string text;
  const auto say = [&](const std::string& sentence) { text += wrapped(sentence, columns); };
  say(fmt::format("{} the clocks of this machine under {}, policy {}{}.",
                  verb.dry_run ? "Deciding on" : "Governing",
                  jobs != nullptr ? "jobs and plain load" : "plain load", verb.policy,
                  verb.dry_run ? "; nothing is written" : ""));
  if (!verb.config_path.empty()) say(fmt::format("Settings are those of {}.", verb.config_path));
  if (verb.actuator == "uclamp")
    say("Clamps reach the threads of jobs; all other load is the Linux governor's own.");
  for (const LinuxPlatform::ClusterStatus& cluster : platform.clusters()) {
    const std::string cpus = cluster.cpus.empty() ? "" : ", CPUs " + cluster.cpus.to_string();
    say(fmt::format("{}{}: {} ({}).", cluster.name, cpus, actuator_name(cluster.actuator),
                    cluster.why));
  }
  if (verb.dry_run && !asked_dry)
    say("No clock may be written by this process: this is a dry run. Start it as root, or give "
        "the container write access to /sys/devices/system/cpu.");
  for (const std::string& sentence : pending.sentences()) say(sentence);
  for (const RivalDaemon& rival : machine.rivals) say(rival_text(rival));
  if (machine.quota.cpus)
    say(fmt::format("{} leaves this process {:.2f} cores' worth of time.", machine.quota.source,
                    *machine.quota.cpus));
  if (is_confined(machine))
    say(fmt::format(
        "A cpuset or affinity confines this process to CPUs {} of {}: jobs of its own run "
        "there only. The clocks of all policies are governed all the same.",
        machine.allowed.to_string(), machine.online.to_string()));
  if (verb.actuator == "auto") {
    const std::string why = why_no_clamps(machine, machine.policies.front());
    say("Clamps of threads (uclamp) would leave limits alone, and are not what auto takes: " +
        (why.empty() ? "they reach only threads that are known, and most load is not" : why) + ".");
  }
  say(power_text(platform, machine));
  if (const int threads = platform.realtime_threads(); threads > 0)
    say(
        fmt::format("{} of programs {} scheduled in real time: where {}, no clock goes below what "
                    "schedutil would give.",
                    counted(threads, "thread"), threads == 1 ? "is" : "are",
                    threads == 1 ? "it runs" : "they run"));
  if (platform.realtime_list_full()) say(kRealtimeFull);
  if (const std::string counters = platform.counters(); !counters.empty()) say(counters + ".");
  if (jobs != nullptr) {
    for (const std::string& sentence : jobs->sentences()) say(sentence);
  }
  say(verb.dry_run ? "Ctrl-C ends it." : "Ctrl-C ends it and gives everything back.");
  return text;
}

/// All of a run: a policy that comes begins another round.
struct Rounds {
  double seconds = 0, energy_mj = 0, measured_s = 0;
  std::uint64_t epochs = 0, naps = 0;
  std::vector<std::string> came;  ///< policies, each of which began another one

  void add(const LinuxSink& sink, const LinuxPlatform& platform) {
    seconds += sink.seconds();
    measured_s += sink.measured_share() * sink.seconds();
    energy_mj += sink.energy_mj();
    epochs += sink.epochs();
    naps += platform.naps();
  }
  double mean_mw() const { return seconds > 0 ? energy_mj / seconds : 0; }
  double measured_share() const { return seconds > 0 ? measured_s / seconds : 0; }
};

Json result_json(const RunLinux& verb, const LinuxPlatform& platform, const LinuxSink& sink,
                 bool asked_dry, const Rounds& rounds) {
  Json json{{"schema", 1},
            {"platform", "linux"},
            {"policy", verb.policy},
            {"dry_run", verb.dry_run},
            {"dry_run_reason", !verb.dry_run ? Json(nullptr)
                               : asked_dry   ? Json("as asked")
                                             : Json("no clock may be written by this process")},
            {"seconds", rounds.seconds},
            {"epochs", rounds.epochs},
            {"naps", rounds.naps},
            {"realtime_threads", platform.realtime_threads()},
            {"realtime_list_full", platform.realtime_list_full()},
            {"power_mean_mw", rounds.mean_mw()},
            {"energy_mj", rounds.energy_mj},
            {"taken_later", rounds.came},
            {"power_source", rounds.measured_share() > 0 ? platform.power_source() : "model"},
            {"power_measured_pct", 100 * rounds.measured_share()}};
  Json& rows = json["clusters"] = Json::array();
  std::size_t c = 0;
  for (const LinuxPlatform::ClusterStatus& cluster : platform.clusters()) {
    rows.push_back({{"name", cluster.name},
                    {"cpus", cluster.cpus.to_string()},
                    {"policies", cluster.policies},
                    {"actuator", actuator_name(cluster.actuator)},
                    {"actuator_reason", cluster.why},
                    {"busy_pct", sink.busy_pct(c)},
                    {"busy_clock_mhz", number_or_null(sink.busy_mhz(c))},
                    {"decisions", sink.cluster(c).decisions},
                    {"writes", cluster.hand.writes},
                    {"refused", cluster.hand.refused},
                    {"rounded", cluster.hand.rounded},
                    {"ignored", cluster.hand.ignored},
                    {"stood_down", cluster.hand.stood_down}});
    ++c;
  }
  return json;
}

std::string result_text(const LinuxPlatform& platform, const LinuxSink& sink,
                        const Rounds& rounds) {
  std::string text;
  std::size_t c = 0;
  for (const LinuxPlatform::ClusterStatus& cluster : platform.clusters()) {
    text += fmt::format("{}: {:.1f} % busy", cluster.name, sink.busy_pct(c));
    if (std::isfinite(sink.busy_mhz(c)))
      text += fmt::format(" at {:.0f} MHz in the mean", sink.busy_mhz(c));
    text += fmt::format(", {} changes decided, {} writes by {}", sink.cluster(c).decisions,
                        cluster.hand.writes, actuator_name(cluster.actuator));
    if (cluster.hand.refused > 0) text += fmt::format(", {} refused", cluster.hand.refused);
    if (cluster.hand.rounded > 0)
      text += fmt::format(", {} rounded or capped", cluster.hand.rounded);
    if (cluster.hand.ignored > 0) text += fmt::format(", {} without effect", cluster.hand.ignored);
    if (cluster.hand.stood_down > 0) text += ", taken by another program";
    text += '\n';
    ++c;
  }
  const double measured_share = rounds.measured_share();
  text += fmt::format(
      "{:.1f} s, {} epochs, {} times idle and left to Linux; {:.2f} W in the mean ({})\n",
      rounds.seconds, rounds.epochs, rounds.naps, rounds.mean_mw() / 1e3,
      measured_share > 0 ? power_kind(measured_share) + ", " + platform.power_source()
                         : power_kind(0));
  return text;
}

/// Where it is not to be had, the run goes on and says so.
std::unique_ptr<StatusService> serve_status(const RunLinux& verb, LinuxPlatform& platform,
                                            const Agent& agent, bool holds_lock) {
  StatusServiceOptions options;
  options.state_dir = verb.state_dir;
  options.policy = verb.policy;
  options.mode = verb.dry_run ? GovernorMode::kDryRun : GovernorMode::kGoverns;
  options.epoch_ns = agent.epoch().interval_ns;
  options.explores = agent.learns();
  options.holds_lock = holds_lock;
  options.metrics = verb.metrics;
  try {
    return std::make_unique<StatusService>(platform, options);
  } catch (const Error& error) {
    if (error.kind() == Error::Kind::kInput) throw;
    offer_note(fmt::format("'flyball status' will not show this run: {}\n", error.what()));
    return nullptr;
  }
}

/// Where it is not to be had, the run goes on and says so. A dry run turns nothing, so nobody joins.
std::unique_ptr<ChannelService> serve_linux_applications(const RunLinux& verb,
                                                         LinuxPlatform& platform, bool holds_lock) {
  if (verb.dry_run) return nullptr;
  ChannelServiceOptions options;
  options.state_dir = verb.state_dir;
  options.holds_lock = holds_lock;
  options.platform.energy_measured = !platform.power_source().empty();
  for (const LinuxPlatform::ClusterStatus& cluster : platform.clusters())
    options.platform.cluster_cpus.push_back(cluster.cpus);
  for (const LinuxPlatform::ClusterStatus& cluster : platform.clusters())
    options.elements.push_back(cluster.element);
  try {
    auto service = std::make_unique<ChannelService>(platform, platform.spec(), options);
    offer_note(fmt::format("Applications can join, at {}/{}.\n", verb.state_dir, FLY_SOCKET_NAME));
    return service;
  } catch (const Error& error) {
    offer_note(fmt::format("No application can join: {}\n", error.what()));
    return nullptr;
  }
}

/// Of whatever runs here: no scenario has told what, or for how long. Applications that join are in it.
std::unique_ptr<Recorder> record_plain_load(const RunLinux& verb, const PlatformSpec& spec,
                                            const Belief& belief, const RewardWeights& weights,
                                            const std::string& power_source) {
  Scenario scenario;
  scenario.name = kRecordedPlainLoad;
  scenario.plain_load = true;
  const RecordingInfo info = recording_info(spec, belief, scenario, verb.policy, verb.seed, weights,
                                            measured_on_linux(power_source));
  return std::make_unique<Recorder>(verb.record, info, Recorder::Options{.compress = true});
}

}  // namespace

void check_plain_policy(const std::string& policy) {
  check_policy_name(policy);
  if (find_agent(policy)->by_clusters) return;
  std::vector<std::string> plain;
  for (const AgentInfo& info : agent_catalogue()) {
    if (info.by_clusters) plain.emplace_back(info.name);
  }
  input_error(
      fmt::format("policy '{}'", policy), "decides by jobs, and nobody announces any here",
      "use one of " + joined(plain) + ", or give it jobs: 'run --platform linux --scenario NAME'");
}

namespace {

/// One after the other when a policy comes that was not there at the start: what a platform is made of is
/// fixed. True when another one is to follow.
bool run_round(const RunLinux& asked, const InterruptScope& interrupt, Rounds& rounds) {
  RunLinux verb = asked;
  const bool with_jobs = !verb.jobs.scenario.empty();
  if (!with_jobs) check_plain_policy(verb.policy);
  check_decides_live("--applications " + verb.applications, verb.applications,
                     "use 'q_learning', 'planner' or another of 'flyball list policies'");
  LinuxOptions options;
  options.actuator = actuator_of(verb.actuator);
  options.dry_run = verb.dry_run;
  if (verb.duration_s > 0)
    options.duration_ns = std::llround((verb.duration_s - rounds.seconds) * 1e9);
  const SysTree tree = tree_at(verb.sysfs_root);
  LinuxMachine machine = discover_machine(tree);
  if (options.actuator == ActuatorKind::kUclamp) {
    check_clamps(machine);
    if (!with_jobs)
      input_error("--actuator uclamp", "clamps the threads of jobs, and none run here",
                  "give it jobs ('run --platform linux --scenario NAME'), or use 'bounds'");
  }
  // Whoever can write nothing, as in a container, decides and shows all the same.
  verb.dry_run = asked.dry_run || !writes_any(machine, options.actuator);
  options.dry_run = verb.dry_run;
  std::optional<LinuxJobs> jobs;
  if (with_jobs) jobs.emplace(verb.jobs, verb.policy, verb.duration_s, verb.seed, machine);
  const MachineSpec made = jobs ? jobs->made() : make_machine_spec(machine, /*devices=*/true);
  const LinuxTuning tuning = tuning_of(verb.config, machine, made);
  const Belief belief = jobs ? jobs->belief() : Belief::of(made.spec);
  const RewardWeights weights = reward_weights(belief);
  const AgentContext context{belief, weights, verb.seed, nullptr};
  const std::unique_ptr<Agent> agent =
      jobs ? jobs->make_agent(weights)
           : std::make_unique<JoinedAgent>(make_agent(verb.policy, context),
                                           make_agent(verb.applications, context), belief.mean);
  if (!verb.record.empty()) check_output("--record " + verb.record, verb.record, kRecordingOutput);
  if (verb.check) return false;

  options.made = &made;
  if (jobs) {
    options.jobs = &jobs->start();
    options.battery_until_ns = jobs->battery_until_ns();
  }
  // Closed when all is given back, whatever ends the run: that takes as long as its disk.
  std::unique_ptr<Recorder> recorder;
  std::optional<Holding> holding;
  if (!verb.dry_run) {
    holding.emplace(verb.state_dir, tree);
    options.hook = &holding->hook();
    // Whoever had the locks may just have given back.
    machine = discover_again(tree, machine);
  }
  PendingPolicies pending(tree, machine, linux_setting_calls());
  Json json;
  std::string text, record_problem;
  bool lost_supervisor = false, again = false;
  GiveBackResult returned;
  {
    std::optional<LinuxPlatform> governed(std::in_place, tree, machine, options);
    LinuxPlatform& platform = *governed;
    platform.tune(tuning);
    offer_note(
        introduction(verb, machine, platform, jobs ? &*jobs : nullptr, pending, asked.dry_run));
    LinuxSink sink(platform);
    std::optional<Teller> teller;
    if (!verb.json) teller.emplace(platform, sink);
    {
      const InterruptsPlatform interrupts(platform);
      // What runs jobs of its own has no seats for those of others.
      const std::unique_ptr<ChannelService> channel =
          jobs ? nullptr : serve_linux_applications(verb, platform, holding.has_value());
      Platform& joined = channel ? channel->platform() : static_cast<Platform&>(platform);
      // It guards applications alone: clocks of plain load are whatever the policy makes of them.
      Shield shield(belief, shield_options(*agent, {}));
      ControlLoop loop(joined, *agent, shield, weights);
      const auto status = serve_status(verb, platform, *agent, holding.has_value());
      const auto tell = [&](const std::string& sentence) {
        if (status) status->note(sentence);
      };
      for (const RivalDaemon& rival : machine.rivals) tell(rival_text(rival));
      for (const std::string& sentence : pending.sentences()) tell(sentence);
      // Jobs and a recording are of one platform from end to end.
      if (!jobs && verb.record.empty()) pending.interrupt_for_one(platform);
      if (!pending.sentences().empty()) loop.add_sink(pending);
      RealtimeSink realtime(platform, [&](const std::string& sentence) {
        offer_note(sentence + '\n');
        tell(sentence);
      });
      loop.add_sink(realtime);
      std::optional<BeatSink> beat;
      std::optional<RivalWatch> rivals;
      if (holding) {
        beat.emplace(holding->takeover(), platform, agent->epoch().interval_ns);
        loop.add_sink(*beat);
        rivals.emplace(holding->takeover().settings(), platform, verb.force,
                       [&](const std::string& sentence) {
                         offer_note(sentence + "\n");
                         tell(sentence);
                       });
        loop.add_sink(*rivals);
      }
      if (jobs) jobs->listen_to(loop, *agent, weights, platform.power_source());
      if (!verb.record.empty()) {
        recorder = record_plain_load(verb, made.spec, belief, weights, platform.power_source());
        loop.add_sink(*recorder);
      }
      ServiceNotifier notifier;
      NotifySink alive(notifier);
      loop.add_sink(alive);
      loop.add_sink(sink);
      if (status) status->listen_to(loop);
      notifier.ready(fmt::format("Governs by policy {}{}", verb.policy,
                                 verb.dry_run ? ", and writes nothing" : ""));
      forget_code_of_the_start();
      const ForgetsLater later(std::chrono::seconds(2));
      if (!interrupt.stopped()) loop.run();
      again = !pending.come().empty() && !interrupt.stopped() &&
              (verb.duration_s == 0 || verb.duration_s - rounds.seconds - sink.seconds() > kLeastS);
      if (!again) notifier.stopping();
      lost_supervisor = beat && beat->lost_supervisor();
      if (holding) give_back_first(platform, holding->takeover());
    }
    rounds.add(sink, platform);
    json = result_json(verb, platform, sink, asked.dry_run, rounds);
    json["allowed_cpus"] = machine.allowed.to_string();
    text = result_text(platform, sink, rounds);
    if (again) rounds.came.push_back(pending.come());
    if (!verb.record.empty()) json["record"] = verb.record;
    governed.reset();  // before anything that may wait for whoever reads
    if (holding) returned = holding->takeover().give_back();
  }
  if (again && returned.missing() == 0 && !lost_supervisor) {
    offer_note(fmt::format("{} is there now, and is governed as well.\n", pending.come()));
    return true;
  }
  if (recorder) record_problem = recorder->finish();
  if (jobs) {
    jobs->finish();
    json["jobs"] = jobs->json();
    text += jobs->text();
  }
  write_result(verb.json ? json_text(json) : text);
  check_given_back("run", returned, lost_supervisor);
  if (!record_problem.empty()) throw Error(Error::Kind::kFailure, record_problem);
  if (jobs && !jobs->problem().empty()) throw Error(Error::Kind::kFailure, jobs->problem());
  return false;
}

}  // namespace

int run_linux(const RunLinux& verb) {
  const InterruptScope interrupt;
  Rounds rounds;
  while (run_round(verb, interrupt, rounds)) {
  }
  return 0;
}

}  // namespace flyball::cli
