#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <system_error>
#include <thread>

#include "agents/agent.h"
#include "env/config/yaml.h"
#include "env/model/declared.h"
#include "env/model/network_levels.h"
#include "governor/channel/channel_service.h"
#include "governor/cli/interrupt.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/progress.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/live_run.h"
#include "governor/cli/verbs/policies.h"
#include "governor/cli/verbs/run_config.h"
#include "governor/cli/verbs/run_linux.h"
#include "governor/cli/verbs/run_simulated.h"
#include "governor/cli/verbs/sysfs_root.h"
#include "governor/cli/views/accuracy.h"
#include "governor/cli/views/engine.h"
#include "governor/cli/views/quota.h"
#include "governor/cli/views/run_report.h"
#include "governor/cli/views/warnings.h"
#include "governor/machine/governed_platform.h"
#include "governor/machine/inference_engine.h"
#include "governor/record/export.h"
#include "governor/record/recording.h"
#include "governor/record/recording_header.h"
#include "governor/supervisor/state_dir.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"

namespace flyball::cli {
namespace {

struct RunVerb {
  std::string platform = "host";
  std::string scenario = "live";
  std::string policy = "q_learning";
  std::string policy_file;
  std::string from;
  std::string belief;
  std::string learn_to;  ///< empty: where 'train' stores what was learned
  bool no_learn = false;
  std::string profile;
  double duration_s = 0;          ///< 0: as long as the scenario
  double compare_duration_s = 0;  ///< 0: the same
  std::uint64_t seed = 1;
  std::string record;
  std::string csv;
  std::vector<std::string> compare_with = {"performance", "schedutil"};
  bool no_compare = false;
  bool json = false;
  bool plain = false;
  bool check = false;
  std::string sysfs_root = "/";
  std::string state_dir;  ///< empty: where applications look
  std::string actuator = "auto";
  std::string applications;  ///< policy for those that talk to us; empty: the default
  bool dry_run = false;
  bool force = false;
  ServiceOptions service;
};

/// Options of '--platform linux' alone, and those that it has no use for.
const std::vector<std::string> kLinuxOnly = {
    "--sysfs-root", "--actuator", "--applications", "--force",
    "--dry-run",    "--config",   "--metrics-file", "--metrics-socket"};
const std::vector<std::string> kNotOnLinux = {
    "--belief", "--compare-with", "--no-compare", "--compare-duration", "--csv", "--plain"};
const std::vector<std::string> kOfJobs = {"--policy-file", "--from", "--learn-to", "--no-learn",
                                          "--profile"};
/// Those that a simulated board has no use for.
const std::vector<std::string> kOfRealJobs = {
    "--compare-with", "--compare-duration", "--learn-to", "--state-dir", "--plain", "--profile"};

void refuse_options(const CLI::App& parser, const std::vector<std::string>& options,
                    const std::string& why, const std::string& remedy) {
  for (const std::string& option : options) {
    if (parser.count(option) > 0) input_error(option, why, remedy);
  }
}

void check_can_run(const std::string& policy) {
  check_policy_name(policy);
  if (find_agent(policy)->knows_future) {
    input_error(fmt::format("policy '{}'", policy),
                "has to know what happens later, which only a simulation can tell",
                "compare with it by 'flyball compare'");
  }
}

bool machine_has_cpufreq() {
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator("/sys/devices/system/cpu/cpufreq", ignored)) {
    if (entry.path().filename().string().rfind("policy", 0) == 0) return true;
  }
  return false;
}

/// Other programs take the time of the jobs under every policy, or a CPU quota does; empty when there is room for them.
/// Counts what is runnable now: the load average still remembers the build a minute after it.
std::string busy_note() {
  if (std::string quota = quota_sentence(); !quota.empty()) return quota;
  constexpr int kSamples = 10;
  int others = 0;
  for (int i = 0; i < kSamples; ++i) {
    std::ifstream file("/proc/loadavg");
    double minutes[3];
    int runnable = 0;
    if (!(file >> minutes[0] >> minutes[1] >> minutes[2] >> runnable)) return {};
    others += std::max(0, runnable - 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const double busy = static_cast<double>(others) / kSamples;
  if (busy < 0.5) return {};
  return fmt::format(
      "This machine is busy ({:.1f} other threads want a CPU): expect misses under every policy.",
      busy);
}

/// Said before anything runs: what is real here and what is not.
std::string introduction(const Stream& stream, const std::vector<LiveRun>& runs,
                         const StartingPoint& start, const std::vector<std::string>& notes,
                         const std::string& channel_problem) {
  const PlatformSpec& platform = stream.platform;
  const int columns = Terminal::of(STDERR_FILENO).columns;
  std::string text;
  const auto say = [&](const std::string& sentence) { text += wrapped(sentence, columns); };
  say(fmt::format("Governing real inference on '{}', scenario '{}', policy {}.", platform.name,
                  stream.scenario.name, runs[0].policy));
  say(fmt::format(
      "{}, so operating points are emulated: a duty cycle slows the workers down. Times "
      "and deadlines are real; power, energy and temperature are modelled.",
      machine_has_cpufreq()
          ? "The machine's own clocks are left alone ('--platform linux' governs them)"
          : "This machine has no cpufreq"));
  for (const ClusterSpec& cluster : platform.clusters) {
    say(fmt::format("Cluster {}: {} core{}, {:.0f} to {:.0f} MHz in {} steps.", cluster.name,
                    cluster.cores, cluster.cores == 1 ? "" : "s",
                    cluster.opps.front().freq_khz / 1000.0, cluster.opps.back().freq_khz / 1000.0,
                    cluster.opps.size()));
  }
  for (std::size_t app = 0; app < stream.inferences_per_job.size(); ++app) {
    say(fmt::format(
        "A job of {} is {} inferences, each {:.3f} ms at full width on one core at full speed, {}.",
        stream.scenario.apps[app].name, stream.inferences_per_job[app],
        static_cast<double>(stream.inference_ns) / 1e6,
        stream.profiled ? "as the profile says" : "as measured just now"));
  }
  if (!channel_problem.empty())
    say("No application of another process can join: " + channel_problem + ".");
  else if (runs[0].channel_dir.empty())
    say("No application of another process can join: there is no folder XDG_RUNTIME_DIR for it; "
        "--state-dir DIR gives one.");
  else
    say(fmt::format("Applications of other processes can join, at {}/{}.", runs[0].channel_dir,
                    FLY_SOCKET_NAME));
  if (const std::string note = busy_note(); !note.empty()) say(note);
  for (const std::string& note : accuracy_notes(platform, stream.scenario)) say(note);
  for (const std::string& note : notes) say(note);
  for (const std::string& warning : warnings_of(platform, {stream.scenario}))
    say("Warning: " + warning);
  if (!start.note.empty()) say(start.note + ".");
  const std::string total = duration_text(runs[0].duration_s + runs[0].title.after_s);
  say(runs.size() > 1
          ? fmt::format("{} policies meet the same stream in turn: {} in all. Ctrl-C ends early.",
                        runs.size(), total)
          : fmt::format("It takes {}. Ctrl-C ends early.", total));
  return text + '\n';
}

/// `learn_to`: asked for or not.
void check_one_output_each(const RunVerb& verb, const std::string& learn_to) {
  std::vector<NamedOutput> outputs = {{"--record " + verb.record, verb.record},
                                      {"--learn-to " + learn_to, learn_to}};
  if (!verb.csv.empty()) {
    for (const std::string& csv : csv_files(verb.csv)) outputs.push_back({"--csv: " + csv, csv});
  }
  check_distinct(outputs);
}

/// What is made at the end is tried before the work.
void check_outputs(const RunVerb& verb) {
  if (!verb.record.empty()) check_output("--record " + verb.record, verb.record, kRecordingOutput);
  if (!verb.csv.empty()) check_csv_folder(verb.csv);
  check_one_output_each(verb, verb.learn_to);
}

/// Reports what was measured first, whatever became of the files: empty, or what did. A folder that
/// was made for them, and that nothing came into, is removed.
std::string export_result(const RunVerb& verb, bool folder_is_new) {
  try {
    export_csv(verb.record, verb.csv);
  } catch (const Error& error) {
    std::error_code ignored;
    if (folder_is_new && std::filesystem::is_empty(verb.csv, ignored))
      std::filesystem::remove(verb.csv, ignored);
    return error.what();
  }
  return "";
}

std::vector<LiveRun> plan_runs(const RunVerb& verb, const StartingPoint& start,
                               const Scenario& scenario) {
  const double duration_s =
      verb.duration_s > 0 ? verb.duration_s : static_cast<double>(scenario.duration_ns) / 1e9;
  std::vector<LiveRun> runs(1);
  runs[0].policy = verb.policy;
  runs[0].start = start;
  runs[0].learn_to = verb.learn_to;
  runs[0].duration_s = duration_s;
  runs[0].record = verb.record;
  runs[0].channel_asked = !verb.state_dir.empty();
  runs[0].channel_dir = verb.state_dir.empty() ? default_channel_dir() : verb.state_dir;
  if (!verb.no_compare) {
    const double compare_s = verb.compare_duration_s > 0 ? verb.compare_duration_s : duration_s;
    for (const std::string& policy : verb.compare_with) {
      if (policy == verb.policy) continue;
      runs.emplace_back().policy = policy;
      runs.back().duration_s = compare_s;
    }
  }
  double after_s = 0;
  for (std::size_t i = runs.size(); i-- > 0;) {
    runs[i].title = {runs[i].policy, runs[i].duration_s, after_s, static_cast<int>(i) + 1,
                     static_cast<int>(runs.size())};
    after_s += runs[i].duration_s;
  }
  return runs;
}

/// The file that was asked for what is learned, tried before the work.
void check_learn_to(const RunVerb& verb) {
  if (verb.learn_to.empty()) return;
  if (verb.no_learn) {
    input_error("--learn-to " + verb.learn_to, "asks for a file, and --no-learn for none",
                "leave one of the two out");
  }
  if (!policy_learns(verb.policy)) {
    input_error("--learn-to " + verb.learn_to,
                fmt::format("policy '{}' does not learn", verb.policy),
                "leave it out, or name a policy that learns");
  }
  check_output("--learn-to " + verb.learn_to, verb.learn_to, kPolicyOutput);
}

/// Where the next run looks for what this one learns; empty when there is no such place, or nothing
/// is to be learned. Makes its folder, so not before all that can be refused has been accepted.
std::string default_learn_to(const RunVerb& verb, const Belief& belief,
                             const StartingPoint& start) {
  if (!policy_learns(verb.policy) || verb.no_learn) return "";
  try {
    const std::string path = make_place_for_policy(verb.policy, belief);
    check_one_output_each(verb, path);
    write_note(keep_beside(path, start));
    return path;
  } catch (const Error& error) {
    write_note(fmt::format("What is learned is not kept: {}\n", error.what()));
    return "";
  }
}

/// When the machine is not as fast as the profile in use says.
std::string drift_note(const Stream& stream) {
  constexpr double kDrift = 0.15;
  if (!stream.profiled) return {};
  const auto index = static_cast<std::size_t>(stream.scenario.apps[0].profile);
  const AppProfile& app = stream.platform.apps[index];
  const auto profiled = static_cast<double>(stream.inference_ns);
  const auto now = static_cast<double>(
      stream.engine.quick_time_ns(network_level(app, app.level_count() - 1).width));
  if (std::abs(now / profiled - 1) <= kDrift) return {};
  return fmt::format(
      "An inference takes {:.3f} ms now, {:.0f} % {} than the {:.3f} ms of the profile, which the "
      "size of a job follows: the machine is busy, or another profile is due ('flyball profile').",
      now / 1e6, 100 * std::abs(now / profiled - 1), now > profiled ? "more" : "less",
      profiled / 1e6);
}

int run_on_linux(const RunVerb& verb, const CLI::App& parser) {
  refuse_options(parser, kNotOnLinux, "has no meaning for '--platform linux'",
                 "leave it out, or use '--platform host'");
  const bool with_jobs = parser.count("--scenario") > 0;
  if (!with_jobs) {
    refuse_options(parser, kOfJobs, "is of jobs, and '--platform linux' by itself has none",
                   "add '--scenario NAME', or leave it out");
  }
  RunLinux linux_verb{.sysfs_root = verb.sysfs_root,
                      .state_dir = verb.state_dir.empty() ? kDefaultStateDir : verb.state_dir,
                      .actuator = verb.actuator,
                      .dry_run = verb.dry_run,
                      .force = verb.force,
                      .duration_s = verb.duration_s,
                      .seed = verb.seed,
                      .metrics = {},
                      .config_path = {},
                      .config = {},
                      .json = verb.json,
                      .check = verb.check};
  if (with_jobs || parser.count("--policy") > 0) linux_verb.policy = verb.policy;
  if (with_jobs) {
    if (!verb.applications.empty())
      input_error("--applications " + verb.applications,
                  "while a scenario's jobs run, no application joins", "leave one of them out");
    linux_verb.jobs = {verb.scenario, verb.policy_file, verb.from,  verb.learn_to,
                       verb.no_learn, verb.profile,     verb.record};
  }
  if (!with_jobs) linux_verb.record = verb.record;
  if (!verb.applications.empty()) linux_verb.applications = verb.applications;
  take_config(parser, verb.service, linux_verb);
  return run_linux(linux_verb);
}

int run_run(const RunVerb& verb, const CLI::App& parser) {
  if (verb.platform == "linux") return run_on_linux(verb, parser);
  refuse_options(parser, kLinuxOnly, "is for '--platform linux'", "add that, or leave it out");
  check_can_run(verb.policy);
  for (const std::string& policy : verb.compare_with) check_can_run(policy);
  if (!verb.csv.empty() && verb.record.empty()) {
    input_error("--csv", "makes its files from a recording, and none is written",
                "add --record FILE");
  }
  const GovernedPlatform governed = load_governed_platform(verb.platform, verb.profile);
  const PlatformSpec& platform = governed.spec;
  if (!platform.emulated) {
    if (verb.record.empty())
      input_error(fmt::format("platform '{}'", platform.name), "is simulated only here",
                  "use 'flyball compare' or 'flyball train' with it, record a simulated run with "
                  "--record FILE, or run on '--platform host'");
    refuse_options(parser, kOfRealJobs, "has no meaning in a simulation", "leave it out");
    check_outputs(verb);
    return run_simulated({governed, load_belief(verb.belief, governed), verb.scenario, verb.policy,
                          verb.policy_file, verb.from, verb.record, verb.csv, verb.duration_s,
                          verb.seed, verb.json, verb.check});
  }
  const Belief belief = load_belief(verb.belief, governed);
  const Scenario scenario = load_scenario(verb.scenario, as_declared(platform, belief));
  const auto identity = [&](const std::string& policy) {
    return policy_identity(policy, belief, governed.times_hash);
  };
  const StartingPoint start =
      starting_point(identity(verb.policy), belief, verb.policy_file, verb.from);
  std::vector<LiveRun> runs = plan_runs(verb, start, scenario);
  for (std::size_t i = 1; i < runs.size(); ++i) {
    runs[i].start = starting_point(identity(runs[i].policy), belief, "", "");
  }

  std::error_code ignored;
  const bool csv_is_new = !std::filesystem::exists(verb.csv, ignored);
  check_outputs(verb);
  check_learn_to(verb);
  const InterruptScope interrupt;
  const NamedModel named = model_of(platform, scenario);
  const std::unique_ptr<InferenceEngine> engine = make_engine(named.model);
  Stream stream{platform, belief, governed.times_hash, scenario, *engine, verb.seed};
  check_runs(stream, runs);
  if (verb.check) return 0;
  if (verb.learn_to.empty()) runs.front().learn_to = default_learn_to(verb, belief, start);
  stream.inference_ns = governed.inference_ns[static_cast<std::size_t>(scenario.apps[0].profile)];
  stream.profiled = stream.inference_ns > 0;
  std::vector<std::string> times_notes = governed.notes;
  if (std::string drift = drift_note(stream); !drift.empty())
    times_notes.push_back(std::move(drift));
  const auto introduce = [&](const std::string& channel_problem) {
    write_note(introduction(stream, runs, start, times_notes, channel_problem));
  };
  std::vector<LiveResult> results;
  for (const LiveRun& run : runs) {
    if (interrupt.stopped()) break;
    results.push_back(run_live(stream, run, interrupt, verb.plain,
                               results.empty() ? introduce : Introduce()));
  }
  std::string problem = results.empty() ? "" : results.front().record_problem;
  // A place that was not asked for is no promise.
  if (problem.empty() && !verb.learn_to.empty() && !results.empty())
    problem = results.front().learn_problem;
  if (!verb.csv.empty() && !results.empty()) {
    const std::string other = export_result(verb, csv_is_new);
    if (problem.empty()) problem = other;
  }

  const bool recorded = !results.empty() && results.front().record_problem.empty();
  const RunReport report{governed,   scenario,
                         stream,     named.path,
                         start.file, recorded ? verb.record : "",
                         interrupt.stopped(), results,
                         times_notes};
  const Terminal terminal = Terminal::of(STDOUT_FILENO);
  write_result(verb.json ? json_text(run_json(report)) : run_text(report, terminal.columns));
  if (const std::string defect = engine->defect(); !defect.empty())
    throw Error(Error::Kind::kFailure, defect);
  if (!problem.empty()) throw Error(Error::Kind::kFailure, problem);
  // A signal in the last moment, when all was done, took nothing away.
  const bool whole = std::ranges::all_of(results, &LiveResult::whole);
  if (interrupt.stopped() && (!whole || results.size() < runs.size()))
    failure("run", "interrupted before its end", "run it again");
  return 0;
}

}  // namespace

Verb add_run(CLI::App& program) {
  auto verb = std::make_shared<RunVerb>();
  CLI::App* parser = program.add_subcommand(
      "run", "Govern real inference jobs, live, and compare with other policies");
  parser
      ->add_option(
          "--platform", verb->platform,
          "'linux': the clocks of this machine, under plain load and, with --scenario, jobs of its "
          "own; or an emulated platform's name or its file (default host)")
      ->type_name("NAME|FILE");
  parser->add_option("--scenario", verb->scenario, "A scenario's name or its file (default live)")
      ->type_name("NAME|FILE");
  parser
      ->add_option("--policy", verb->policy,
                   "Who decides; see 'flyball list policies' (default q_learning)")
      ->type_name("NAME");
  parser
      ->add_option("--policy-file", verb->policy_file,
                   "What the policy has learned, by 'flyball train'")
      ->type_name("FILE");
  parser->add_option("--from", verb->from, "The same of another platform, taken as a prior")
      ->type_name("FILE");
  parser
      ->add_option(
          "--learn-to", verb->learn_to,
          "Keep what the policy learns in this file, every minute and at the end "
          "(default: under $XDG_STATE_HOME, or ~/.local/state, where the next run finds it)")
      ->type_name("FILE");
  parser->add_flag("--no-learn", verb->no_learn, "Keep nothing of what the policy learns");
  profile_option(*parser, verb->profile);
  belief_option(*parser, verb->belief);
  seconds_option(*parser, "--duration", verb->duration_s, 0.5, 86400,
                 "How long (default: as the scenario says)");
  names_option(*parser, "--compare-with", verb->compare_with,
               "Then run these on the same stream (default: performance, schedutil)");
  seconds_option(*parser, "--compare-duration", verb->compare_duration_s, 0.5, 86400,
                 "How long each of those (default: as --duration)");
  parser->add_flag("--no-compare", verb->no_compare, "Run nothing else");
  seed_option(*parser, verb->seed, "Seed of the arrivals, the work and the agent (default 1)");
  parser
      ->add_option(
          "--record", verb->record,
          "Write every epoch and job to this file, on linux plain load too; a platform that "
          "is simulated only is then simulated, with one policy")
      ->type_name("FILE");
  parser->add_option("--csv", verb->csv, "Then export the recording to this folder")
      ->type_name("DIR");
  parser
      ->add_option(
          "--actuator", verb->actuator,
          "On linux, how clocks are turned: auto, setspeed, bounds or uclamp (default auto)")
      ->type_name("NAME");
  parser
      ->add_option("--applications", verb->applications,
                   "On linux, who decides for applications that join (default q_learning); "
                   "--policy is for all other load")
      ->type_name("NAME");
  parser->add_flag("--force", verb->force,
                   "On linux, go on turning what another program has changed meanwhile");
  parser->add_flag("--dry-run", verb->dry_run, "On linux, decide and show, and write nothing");
  sysfs_root_option(*parser, verb->sysfs_root);
  parser
      ->add_option("--state-dir", verb->state_dir,
                   "Where app.sock is, by which other processes' applications join, and on linux old "
                   "values are kept until they are given back (default /run/flyball; for a user "
                   "$XDG_RUNTIME_DIR/flyball)")
      ->type_name("DIR");
  service_options(*parser, verb->service);
  parser->add_flag("--plain", verb->plain, "A line per second instead of the display");
  parser->add_flag("--check", verb->check, "Only check that all this can be run, and run nothing");
  json_option(*parser, verb->json);
  parser->footer(
      "Example:\n  flyball run --duration 30 --record run.flyrec\n"
      "  flyball run --platform linux --dry-run    # what would be done with this machine's "
      "clocks\n"
      "  flyball run --platform odroid_xu3 --record run.flyrec    # simulated, to be recorded\n"
      "  flyball run --platform linux --scenario live    # with jobs of its own");
  return {parser, [verb, parser] { return run_run(*verb, *parser); }};
}

}  // namespace flyball::cli
