#include "governor/cli/verbs/linux_jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "agents/beside_load.h"
#include "env/config/yaml.h"
#include "env/linux/jobs/job_profiles.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/live_run.h"
#include "governor/cli/views/accuracy.h"
#include "governor/cli/views/engine.h"
#include "governor/cli/views/metrics_table.h"
#include "governor/cli/views/warnings.h"
#include "governor/record/recording.h"
#include "governor/record/recording_header.h"
#include "kernels/base/counted.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"

namespace flyball::cli {
namespace {

constexpr const char* kTimedBy = "host";  // configs/platforms: what jobs take on this machine

MachineSpec with_jobs(const LinuxMachine& machine, const PlatformSpec& timed) {
  MachineSpec made = make_machine_spec(machine);  // its pool is of CPUs
  add_job_profiles(timed, made, machine.allowed);
  return made;
}

Scenario scenario_of(const std::string& name, const PlatformSpec& spec, double duration_s) {
  Scenario scenario = load_scenario(name, spec);
  if (scenario.plain_load || scenario.apps.empty()) {
    input_error(fmt::format("scenario '{}'", scenario.name), "has no jobs to run",
                "leave '--scenario' out: plain load is governed as it comes");
  }
  if (scenario.sensors.any()) {
    input_error(fmt::format("scenario '{}'", scenario.name),
                "says what is wrong with sensors, and a machine has its own",
                "take 'sensors' out, or run it on another platform");
  }
  for (const AppSpec& app : scenario.apps) {
    if (!spec.apps[static_cast<std::size_t>(app.profile)].plain_load) continue;
    input_error(fmt::format("scenario '{}', application '{}'", scenario.name, app.name),
                "is a plain load, which has no jobs", "take it out");
  }
  return duration_s > 0 ? with_duration(std::move(scenario), duration_s) : scenario;
}

const std::string& checked(const std::string& policy) {
  check_decides_live(fmt::format("policy '{}'", policy), policy,
                     "compare with it by 'flyball compare'");
  return policy;
}

bool is_left_out(const MetricView& view) {
  // Nobody knows the future here, and no other clocks run beside.
  return view.key.starts_with("energy_gap_to_") || view.key == "efficiency_pct";
}

}  // namespace

std::vector<std::string> measured_on_linux(const std::string& power_source) {
  std::vector<std::string> measured = {"util", "util_mean", "counters", "freq_khz", "temp_c"};
  if (!power_source.empty()) measured.push_back("power_mw");
  return measured;
}

LinuxJobs::LinuxJobs(const LinuxJobsAsked& asked, const std::string& policy, double duration_s,
                     std::uint64_t seed, const LinuxMachine& machine)
    : asked_(asked),
      policy_(checked(policy)),
      seed_(seed),
      host_(load_governed_platform(kTimedBy, asked.profile)),
      made_(with_jobs(machine, host_.spec)),
      belief_(Belief::of(made_.spec)),
      scenario_(scenario_of(asked.scenario, made_.spec, duration_s)),
      start_(starting_point(policy_identity(policy, belief_, host_.times_hash), belief_,
                            asked.policy_file, asked.from)) {
  if (!asked.learn_to.empty()) {
    if (asked.no_learn || !policy_learns(policy)) {
      input_error("--learn-to " + asked.learn_to,
                  asked.no_learn ? std::string("asks for a file, and --no-learn for none")
                                 : fmt::format("policy '{}' does not learn", policy),
                  "leave it out");
    }
    check_output("--learn-to " + asked.learn_to, asked.learn_to, kPolicyOutput);
  }
  if (!asked.record.empty())
    check_output("--record " + asked.record, asked.record, kRecordingOutput);
  check_distinct({{"--record " + asked.record, asked.record},
                  {"--learn-to " + asked.learn_to, asked.learn_to}});
  engine_ = make_engine(model_of(made_.spec, scenario_).model);
  hold_to_battery(machine);
}

/// A battery cannot be played on a machine: either it has one, or there is none to look after.
void LinuxJobs::hold_to_battery(const LinuxMachine& machine) {
  if (scenario_.battery_mj <= 0) return;
  std::vector<std::string> names;
  bool tell_energy = true;
  for (const PowerSupply& supply : machine.supplies) {
    if (supply.type != "Battery" || !supply.of_system) continue;
    names.push_back(supply.name);
    tell_energy = tell_energy && supply.tells_energy;
  }
  const bool has_to_last = scenario_.battery_until_ns > 0;
  if (names.empty()) {
    battery_sentence_ = "The scenario's battery is not played: this machine has none of its own";
    battery_sentence_ += has_to_last ? ", so nothing has to last." : ".";
  } else if (!has_to_last) {
    battery_sentence_ = fmt::format(
        "The scenario's battery is not played: what is charged is this machine's own ({}).",
        joined(names));
  } else if (!tell_energy) {
    battery_sentence_ = fmt::format(
        "That the scenario's battery has to last is not played: {} tells a percentage only, and no "
        "energy.",
        joined(names));
  } else {
    battery_until_ns_ = scenario_.battery_until_ns;
    battery_sentence_ =
        fmt::format("This machine's own battery ({}) has to last for {:g} s, as the scenario's.",
                    joined(names), static_cast<double>(battery_until_ns_) * 1e-9);
    return;
  }
  notes_.push_back(battery_sentence_);
}

std::unique_ptr<Agent> LinuxJobs::make_agent(const RewardWeights& weights) {
  const AgentContext context{belief_, weights, seed_};
  auto agent = std::make_unique<BesideLoad>(flyball::make_agent(policy_, context), context);
  if (!start_.learned.empty()) {
    for (std::string& note : agent->load(start_.learned, start_.as_prior))
      notes_.push_back(std::move(note));
  }
  return agent;
}

JobSource& LinuxJobs::start() {
  PoolJobsOptions options;
  options.seed = seed_;
  const auto profile = static_cast<std::size_t>(host_.spec.find_app(
      made_.spec.apps[static_cast<std::size_t>(scenario_.apps[0].profile)].name));
  options.inference_ns = host_.inference_ns[profile];
  options.counters = thread_counters;
  jobs_ = std::make_unique<PoolJobs>(made_.spec, made_.cpus, scenario_, *engine_, options);
  return *jobs_;
}

std::string LinuxJobs::place_for_learned() {
  if (!asked_.learn_to.empty()) return asked_.learn_to;
  if (asked_.no_learn || !policy_learns(policy_)) return "";
  try {
    const std::string path = make_place_for_policy(policy_, belief_);
    check_distinct({{"--record " + asked_.record, asked_.record}, {path, path}});
    write_note(keep_beside(path, start_));
    return path;
  } catch (const Error& error) {
    write_note(fmt::format("What is learned is not kept: {}\n", error.what()));
    return "";
  }
}

void LinuxJobs::listen_to(ControlLoop& loop, Agent& agent, const RewardWeights& weights,
                          const std::string& power_source) {
  metrics_ = std::make_unique<MetricsSink>(belief_.mean, &made_.spec);
  loop.add_sink(*metrics_);
  if (!asked_.record.empty()) {
    RecordingInfo info = recording_info(made_.spec, belief_, scenario_, policy_, seed_, weights,
                                        measured_on_linux(power_source));
    info.hashes.profile = host_.times_hash;
    recorder_ =
        std::make_unique<Recorder>(asked_.record, info, Recorder::Options{.compress = true});
    loop.add_sink(*recorder_);
  }
  if (const std::string path = place_for_learned(); !path.empty()) {
    learned_ = std::make_unique<LearnedWriter>(agent, path,
                                               policy_identity(policy_, belief_, host_.times_hash));
    loop.add_sink(*learned_);
  }
}

std::vector<std::string> LinuxJobs::sentences() const {
  std::vector<std::string> all;
  all.push_back(
      fmt::format("Scenario '{}': real inference in the pool, governed by {}; other load by "
                  "plain_load. Its own other load is not played: this machine's is real.",
                  scenario_.name, policy_));
  for (std::size_t a = 0; a < scenario_.apps.size(); ++a) {
    all.push_back(
        fmt::format("A job of {} is {} inferences, each {:.3f} ms at full width on one core, {}.",
                    scenario_.apps[a].name, jobs_->inferences_per_job(static_cast<int>(a)),
                    static_cast<double>(jobs_->inference_ns()) / 1e6,
                    host_.profile.empty() ? "as measured just now" : "as the profile says"));
  }
  if (!battery_sentence_.empty()) all.push_back(battery_sentence_);
  for (const std::string& note : host_.notes) all.push_back(note);
  for (const std::string& note : accuracy_notes(made_.spec, scenario_)) all.push_back(note);
  for (const std::string& warning : warnings_of(made_.spec, {scenario_}))
    all.push_back("Warning: " + warning);
  if (!start_.note.empty()) all.push_back(start_.note + ".");
  return all;
}

void LinuxJobs::finish() {
  for (std::string& note : jobs_->notes()) notes_.push_back(std::move(note));
  // First: a record is compressed at its end, and who is killed meanwhile keeps what was learned.
  const std::string learn_problem = learned_ ? learned_->finish() : "";
  if (recorder_) problem_ = recorder_->finish();
  if (learn_problem.empty()) return;
  // A place that was not asked for is no promise.
  if (problem_.empty() && !asked_.learn_to.empty()) problem_ = learn_problem;
  notes_.push_back(learn_problem);
}

Json LinuxJobs::json() const {
  const Metrics metrics = metrics_->result();
  Json json{{"scenario", scenario_.name},
            {"seed", seed_},
            {"jobs", static_cast<std::uint64_t>(metrics.jobs)},
            {"policy_file", start_.file.empty() ? Json(nullptr) : Json(start_.file)},
            {"inference_ns", jobs_->inference_ns()}};
  for (const MetricView& view : metric_views()) {
    if (!is_left_out(view)) json[std::string(view.key)] = number_or_null(metrics.*view.value);
  }
  Json& sizes = json["inferences_per_job"] = Json::array();
  for (std::size_t a = 0; a < scenario_.apps.size(); ++a)
    sizes.push_back(jobs_->inferences_per_job(static_cast<int>(a)));
  json["counters_source"] = jobs_->counters().empty() ? Json(nullptr) : Json(jobs_->counters());
  json["notes"] = notes_;
  return json;
}

std::string LinuxJobs::text() const {
  const Metrics metrics = metrics_->result();
  std::string text = counted(std::llround(metrics.jobs), "job");
  if (metrics.jobs > 0) {
    text += fmt::format(
        ": {:.1f} mJ each, {:.1f} % accurate, latency {:.1f} ms in the median and {:.1f} ms at 99 "
        "%",
        metrics.energy_mj_per_job, metrics.accuracy_pct, metrics.latency_p50_ms,
        metrics.latency_p99_ms);
  }
  if (std::isfinite(metrics.deadline_miss_pct))
    text += fmt::format("; {:.1f} % missed", metrics.deadline_miss_pct);
  text += '\n';
  for (const std::string& note : notes_) text += note + '\n';
  return text;
}

}  // namespace flyball::cli
