#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "agents/agent.h"
#include "agents/policy_file.h"
#include "env/config/yaml.h"
#include "env/model/declared.h"
#include "governor/cli/interrupt.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/progress.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/policies.h"
#include "governor/cli/views/learning_curve.h"
#include "governor/cli/views/warnings.h"
#include "governor/compare/compare.h"
#include "governor/machine/governed_platform.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

struct TrainVerb {
  std::string agent = "q_learning";
  std::string platform;
  std::string profile;
  std::string belief;
  std::string from;
  std::vector<std::string> scenarios;
  std::string out;
  bool store = false;  ///< no `out`: where 'run' and 'compare' look for it
  int episodes = 200;
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

/// Takes turns between the scenarios, so that none is forgotten for another.
std::vector<std::uint8_t> train_in_turns(const TrainVerb& verb, const PlatformSpec& platform,
                                         const Belief& belief, const StartingPoint& start,
                                         const std::vector<Scenario>& scenarios,
                                         LearningCurve& curve, Progress& progress,
                                         const std::atomic<bool>& stop) {
  const int count = static_cast<int>(scenarios.size());
  const int turn = count == 1 ? verb.episodes : std::max(1, verb.episodes / (20 * count));
  std::vector<std::uint8_t> learned = start.learned;
  bool as_prior = start.as_prior;
  for (int done = 0, t = 0; done < verb.episodes && !stop; ++t) {
    const int episodes = std::min(turn, verb.episodes - done);
    const auto on_episode = [&](int, const Metrics& metrics) {
      curve.add(t % count, metrics);
      progress.update(static_cast<double>(curve.done()) / verb.episodes);
    };
    learned =
        train(platform, belief, scenarios[t % count], verb.agent, episodes,
              verb.seed + static_cast<std::uint64_t>(done), on_episode, &stop, learned, as_prior);
    as_prior = false;
    done += episodes;
  }
  return learned;
}

Json to_json(const TrainVerb& verb, const GovernedPlatform& governed,
             const std::vector<Scenario>& scenarios, std::uint64_t platform_hash,
             const StartingPoint& start, const LearningCurve& curve) {
  Json json{{"schema", 1}, {"agent", verb.agent}, {"platform", governed.spec.name}};
  Json& names = json["scenarios"] = Json::array();
  for (const Scenario& scenario : scenarios) names.push_back(scenario.name);
  json["profile"] = governed.profile.empty() ? Json(nullptr) : Json(governed.profile);
  json["episodes"] = curve.done();
  json["interrupted"] = curve.done() < verb.episodes;
  json["seed"] = verb.seed;
  json["out"] = verb.out;
  json["belief"] = verb.belief.empty() ? Json(nullptr) : Json(verb.belief);
  json["from"] = start.file.empty() ? Json(nullptr) : Json(start.file);
  json["platform_hash"] = fmt::format("{:016x}", platform_hash);
  json["curve"] = curve.points_json();
  json["reward_gain"] = curve.gain_json();
  json["warnings"] = warnings_of(governed.spec, scenarios);
  return json;
}

int run_train(TrainVerb verb) {
  check_agent(verb.agent);
  if (!verb.store) check_output("--out " + verb.out, verb.out, kPolicyOutput);
  const GovernedPlatform governed = load_governed_platform(verb.platform, verb.profile);
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
  const std::vector<std::uint8_t> learned =
      train_in_turns(verb, platform, belief, start, scenarios, curve, progress, interrupt.stop());
  progress.stop();
  if (curve.done() == 0) {
    failure("train", "interrupted before the first episode was done",
            fmt::format("'{}' was not touched, run it again", verb.out));
  }
  curve.finish();
  const PolicyFile policy{identity, learned};
  std::optional<Error> not_written;
  try {
    if (verb.store) write_note(keep_beside(verb.out, start));
    write_policy(verb.out, policy);
  } catch (const Error& error) {
    not_written = error;
  }

  if (verb.json) {
    Json json = to_json(verb, governed, scenarios, identity.platform_hash, start, curve);
    if (not_written) json["out"] = nullptr;
    write_result(json_text(json));
  } else {
    std::string text = '\n' + wrapped(curve.verdict(), Terminal::of(STDOUT_FILENO).columns);
    if (!not_written)
      text += fmt::format("wrote {} ({} bytes learned by {} in {} episodes)\n", verb.out,
                          learned.size(), verb.agent, curve.done());
    write_result(text);
  }
  if (not_written) throw *not_written;
  if (curve.done() < verb.episodes) {
    failure("train",
            fmt::format("interrupted after {} of {} episodes", curve.done(), verb.episodes),
            fmt::format("'{}' holds what was learned by then", verb.out));
  }
  return 0;
}

}  // namespace

Verb add_train(CLI::App& program) {
  auto verb = std::make_shared<TrainVerb>();
  CLI::App* parser =
      program.add_subcommand("train", "Let an agent learn in simulation, into a policy file");
  parser->add_option("--agent", verb->agent, "An agent that learns (default q_learning)")
      ->type_name("NAME");
  parser->add_option("--platform", verb->platform, "A platform's name or its file")
      ->required()
      ->type_name("NAME|FILE");
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
                 "How many runs of a scenario (default 200)");
  seed_option(*parser, verb->seed, "Seed of the first episode, counting up (default 1)");
  CLI::Option* const out =
      parser
          ->add_option("--out", verb->out,
                       "The policy file to write or replace (default: under $XDG_STATE_HOME, or "
                       "~/.local/state, where 'run' and 'compare' find it)")
          ->type_name("FILE");
  json_option(*parser, verb->json);
  parser->footer(
      "Interrupted, it keeps what was learned so far and ends with status 1.\n"
      "Example:\n  flyball train --platform odroid_xu3 --scenario background,bursty --episodes 500 "
      "--out xu3.policy");
  return {parser, [verb, out] {
            verb->store = out->empty();
            return run_train(*verb);
          }};
}

}  // namespace flyball::cli
