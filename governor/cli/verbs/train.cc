#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>

#include "agents/agent.h"
#include "agents/policy_file.h"
#include "env/config/yaml.h"
#include "env/model/declared.h"
#include "governor/cli/interrupt.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/progress.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/figure_output.h"
#include "governor/cli/verbs/made_file.h"
#include "governor/cli/verbs/policies.h"
#include "governor/cli/views/learning_curve.h"
#include "governor/cli/views/validation.h"
#include "governor/cli/views/warnings.h"
#include "governor/compare/curriculum.h"
#include "governor/machine/governed_platform.h"
#include "governor/report/figure.h"
#include "kernels/base/atomic_file.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"

namespace flyball::cli {
namespace {

struct TrainVerb {
  std::string agent = "q_learning";
  std::vector<std::string> platforms;
  std::string profile;
  std::string belief;
  std::string from;
  std::vector<std::string> scenarios;
  std::string out;
  bool store = false;  ///< no `out`: where 'run' and 'compare' look for it
  std::string curve;
  int episodes = 200;
  int lanes = 2;
  int boards = 0;
  std::uint64_t seed = 1;
  bool json = false;
};

void check_agent(const std::string& agent) {
  std::vector<std::string> learners;
  for (const AgentInfo& info : agent_catalogue()) {
    if (info.learns) learners.emplace_back(info.name);
  }
  if (std::find(learners.begin(), learners.end(), agent) != learners.end()) return;
  check_policy_name(agent);  // a name that nobody knows gets the nearest one
  input_error(fmt::format("agent '{}'", agent), "does not learn", "use one of " + joined(learners));
}

Json to_json(const TrainVerb& verb, const GovernedPlatform& governed,
             const std::vector<Scenario>& scenarios, std::uint64_t platform_hash,
             const StartingPoint& start, const LearningCurve& curve, const TrainedPolicy& trained,
             bool interrupted) {
  Json json{{"schema", 1}, {"agent", verb.agent}, {"platform", governed.spec.name}};
  Json& names = json["scenarios"] = Json::array();
  for (const Scenario& scenario : scenarios) names.push_back(scenario.name);
  json["profile"] = governed.profile.empty() ? Json(nullptr) : Json(governed.profile);
  json["episodes"] = curve.done();
  json["interrupted"] = interrupted;
  json["seed"] = verb.seed;
  json["out"] = verb.out;
  json["belief"] = verb.belief.empty() ? Json(nullptr) : Json(verb.belief);
  json["from"] = start.file.empty() ? Json(nullptr) : Json(start.file);
  json["notes"] = start.file.empty() ? Json::array() : Json::array({start.note});
  json["platform_hash"] = fmt::format("{:016x}", platform_hash);
  json["curve"] = curve.points_json();
  json["reward_gain"] = curve.gain_json();
  json["lanes"] = verb.lanes;
  json["randomised_boards"] = verb.boards;
  json["ended_early"] = trained.ended_early;
  json["validation"] = validation_json(trained);
  json["warnings"] = warnings_of(governed.spec, scenarios);
  return json;
}

bool is_picture(const std::string& file) {
  return file.ends_with(".svg") || file.ends_with(".png");
}

void check_curve(const std::string& file) {
  if (file.empty()) return;
  if (is_picture(file)) return check_figure_output(file, "--curve");
  if (file.ends_with(".csv"))
    return check_output("--curve " + file, file, {"a learning curve", kValidationCsvStart});
  input_error("--curve " + file, "it is written as CSV or as a picture, SVG or PNG",
              "end its name in .csv, .svg or .png");
}

/// Of one platform; verb.out is a file or empty.
Json train_one(TrainVerb verb, const std::string& platform_name, bool& interrupted) {
  const GovernedPlatform governed = load_governed_platform(platform_name, verb.profile);
  const PlatformSpec& platform = governed.spec;
  const Belief belief = load_belief(verb.belief, governed);
  const PlatformSpec declared = as_declared(platform, belief);
  std::vector<Scenario> scenarios;
  for (const std::string& name : verb.scenarios) scenarios.push_back(load_scenario(name, declared));
  const PolicyIdentity identity = policy_identity(verb.agent, belief, governed.times_hash);
  // Where 'run' keeps what it has learned, that is gone on from.
  const StartingPoint start = verb.from.empty() && !verb.store
                                  ? StartingPoint{}
                                  : starting_point(identity, belief, "", verb.from);
  if (verb.store) verb.out = make_place_for_policy(verb.agent, belief);

  for (const std::string& note : governed.notes) write_note(note + '\n');
  if (!start.file.empty() || start.refused) write_note(start.note + ".\n");
  for (const std::string& one : start.left_out) write_note(verb.agent + ": " + one + ".\n");
  show_warnings(warnings_of(platform, scenarios));
  InterruptScope interrupt;
  Progress progress(fmt::format("training {} on {}", verb.agent, platform.name));
  LearningCurve curve(verb.episodes, static_cast<int>(scenarios.size()), !verb.json, progress);
  Curriculum curriculum{platform, belief, scenarios, verb.agent};
  curriculum.episodes = verb.episodes;
  curriculum.lanes = verb.lanes;
  curriculum.boards = verb.boards;
  curriculum.first_seed = verb.seed;
  curriculum.start = start.learned;
  curriculum.start_as_prior = start.as_prior;
  curriculum.on_episode = [&](int scenario, const Metrics& metrics) {
    curve.add(scenario, metrics);
    progress.update(0.9 * curve.done() / verb.episodes);
  };
  curriculum.progress = [&](double done) { progress.update(done); };
  curriculum.stop = &interrupt.stop();
  curriculum.threads = std::max(1u, std::thread::hardware_concurrency());
  const TrainedPolicy trained = train_curriculum(curriculum);
  progress.stop();
  interrupted = interrupt.stopped();
  if (curve.done() == 0) {
    failure("train", "interrupted before the first episode was done",
            fmt::format("'{}' was not touched, run it again", verb.out));
  }
  curve.finish();
  std::optional<Error> not_written;
  try {
    if (verb.store) write_note(keep_beside(verb.out, start));
    write_policy(verb.out, {identity, trained.learned});
    if (!verb.curve.empty()) {
      if (is_picture(verb.curve))
        write_figure(verb.curve, validation_figure(trained, verb.agent));
      else
        write_file_atomically(verb.curve, validation_csv(trained));
    }
  } catch (const Error& error) {
    not_written = error;
  }

  Json json = to_json(verb, governed, scenarios, identity.platform_hash, start, curve, trained,
                      interrupted);
  if (!verb.json) {
    const int columns = Terminal::of(STDOUT_FILENO).columns;
    std::string text = '\n' + wrapped(curve.slope(), columns);
    text += wrapped(interrupted ? "It was interrupted: what that is worth was not tried."
                                : validation_text(trained),
                    columns);
    if (!not_written)
      text += fmt::format("wrote {} ({} bytes learned by {} in {} episodes)\n", verb.out,
                          trained.learned.size(), verb.agent, curve.done());
    write_result(text);
  } else if (not_written) {
    json["out"] = nullptr;
    write_result(json_text(json));
  }
  if (not_written) throw *not_written;
  if (interrupted) {
    if (verb.json) write_result(json_text(json));
    failure("train",
            fmt::format("interrupted after {} of {} episodes", curve.done(), verb.episodes),
            fmt::format("'{}' holds what was learned by then", verb.out));
  }
  return json;
}

int run_train(const TrainVerb& verb) {
  check_agent(verb.agent);
  if (is_standard_output(verb.out))
    input_error("--out -", "what is learned is no text for standard output", "name a file");
  check_curve(verb.curve);
  bool interrupted = false;
  if (verb.platforms.size() == 1) {
    if (!verb.store) check_output("--out " + verb.out, verb.out, kPolicyOutput);
    check_distinct({{"--out " + verb.out, verb.out}, {"--curve " + verb.curve, verb.curve}});
    const Json json = train_one(verb, verb.platforms[0], interrupted);
    if (verb.json) write_result(json_text(json));
    return 0;
  }
  if (!verb.store && !verb.out.ends_with('/')) {
    input_error("--out " + verb.out, "each platform has a policy file of its own",
                "give a folder, with '/' at its end: PLATFORM." + verb.agent + ".policy in it");
  }
  for (const auto& [flag, value] : {std::pair{"--curve", verb.curve},
                                    {"--from", verb.from},
                                    {"--belief", verb.belief},
                                    {"--profile", verb.profile}}) {
    if (!value.empty())
      input_error(fmt::format("{} {}", flag, value), "is of one platform",
                  "train one platform at a time with it");
  }
  if (!verb.store) make_output_folder("--out " + verb.out, verb.out);
  Json all{{"schema", 1}, {"policies", Json::array()}};
  for (const std::string& platform : verb.platforms) {
    TrainVerb one = verb;
    if (!verb.store) {
      one.out += load_platform(platform).name + '.' + verb.agent + ".policy";
      check_output("--out " + one.out, one.out, kPolicyOutput);
    }
    if (!verb.json) write_result(fmt::format("{}\n", platform));
    all["policies"].push_back(train_one(one, platform, interrupted));
  }
  if (verb.json) write_result(json_text(all));
  return 0;
}

}  // namespace

Verb add_train(CLI::App& program) {
  auto verb = std::make_shared<TrainVerb>();
  CLI::App* parser =
      program.add_subcommand("train", "Let an agent learn in simulation, into a policy file");
  parser->add_option("--agent", verb->agent, "An agent that learns (default q_learning)")
      ->type_name("NAME");
  names_option(*parser, "--platform", verb->platforms,
               "A platform's name or its file; of several each gets a policy file of its own");
  parser->get_option("--platform")->required();
  profile_option(*parser, verb->profile);
  belief_option(*parser, verb->belief);
  names_option(*parser, "--scenario", verb->scenarios, "One or more scenarios, which take turns");
  parser->get_option("--scenario")->required();
  parser
      ->add_option("--from", verb->from,
                   "A policy file to go on from, also of another platform: taken as a prior "
                   "(default: what is stored where it would be written, or none with --out)")
      ->type_name("FILE");
  integer_option(*parser, "--episodes", verb->episodes, 1, 10'000'000,
                 "How many runs of a scenario each learner has (default 200)");
  integer_option(*parser, "--lanes", verb->lanes, 1, 64,
                 "How many learners there are, of which the best is kept; all cores work on them "
                 "(default 2)");
  integer_option(*parser, "--randomise", verb->boards, 0, 1000,
                 "Play so many boards in turn that differ from the platform as chips do: times, "
                 "power, memory, threads, heat (default 0: the platform itself)");
  parser
      ->add_option("--curve", verb->curve,
                   "Write how the learners did whenever they were tried: FILE.csv, or a picture, "
                   "FILE.svg or FILE.png")
      ->type_name("FILE");
  seed_option(*parser, verb->seed, "Seed of the first episode, counting up (default 1)");
  CLI::Option* const out = parser
                               ->add_option("--out", verb->out,
                                            "The policy file to write or replace, or a folder/ for "
                                            "several (default: under $XDG_STATE_HOME, or "
                                            "~/.local/state, where 'run' and 'compare' find it)")
                               ->type_name("FILE");
  json_option(*parser, verb->json);
  parser->footer(
      "Learners are tried ten times on runs that they do not learn from, and the best there is "
      "kept, "
      "be it what\nthey began with; it ends early when nothing got better for half of the time. "
      "The same "
      "seed gives the same\nfile, whatever the number of cores. Interrupted, it keeps what was "
      "learned so "
      "far and ends with status 1.\n"
      "Example:\n  flyball train --platform odroid_xu3 --scenario background,bursty --episodes 500 "
      "--out xu3.policy");
  return {parser, [verb, out] {
            verb->store = out->empty();
            return run_train(*verb);
          }};
}

}  // namespace flyball::cli
