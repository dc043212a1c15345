#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "agents/agent.h"
#include "agents/policy_file.h"
#include "env/config/yaml.h"
#include "env/spaces/spaces.h"
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

/// The same agent under another scenario can only go on learning when knobs and monitors are the
/// same.
void check_same_spaces(const PlatformSpec& platform, const std::vector<Scenario>& scenarios) {
  const std::uint64_t hash = Spaces::of(platform, scenarios.front()).hash;
  for (const Scenario& scenario : scenarios) {
    if (Spaces::of(platform, scenario).hash == hash) continue;
    input_error(
        fmt::format("--scenario {}", scenario.name),
        fmt::format("its knobs or monitors differ from those of '{}'", scenarios.front().name),
        "train a policy of its own for it");
  }
}

/// Takes turns between the scenarios, so that none is forgotten for another.
std::vector<std::uint8_t> train_in_turns(const TrainVerb& verb, const PlatformSpec& platform,
                                         const std::vector<Scenario>& scenarios,
                                         LearningCurve& curve, Progress& progress,
                                         const std::atomic<bool>& stop) {
  const int count = static_cast<int>(scenarios.size());
  const int turn = count == 1 ? verb.episodes : std::max(1, verb.episodes / (20 * count));
  std::vector<std::uint8_t> learned;
  for (int done = 0, t = 0; done < verb.episodes && !stop; ++t) {
    const int episodes = std::min(turn, verb.episodes - done);
    const auto on_episode = [&](int, const Metrics& metrics) {
      curve.add(t % count, metrics);
      progress.update(static_cast<double>(curve.done()) / verb.episodes);
    };
    learned = train(platform, scenarios[t % count], verb.agent, episodes, verb.seed + done,
                    on_episode, &stop, learned);
    done += episodes;
  }
  return learned;
}

Json to_json(const TrainVerb& verb, const GovernedPlatform& governed,
             const std::vector<Scenario>& scenarios, std::uint64_t spaces_hash,
             const LearningCurve& curve) {
  Json json{{"schema", 1}, {"agent", verb.agent}, {"platform", governed.spec.name}};
  Json& names = json["scenarios"] = Json::array();
  for (const Scenario& scenario : scenarios) names.push_back(scenario.name);
  json["profile"] = governed.profile.empty() ? Json(nullptr) : Json(governed.profile);
  json["episodes"] = curve.done();
  json["interrupted"] = curve.done() < verb.episodes;
  json["seed"] = verb.seed;
  json["out"] = verb.out;
  json["spaces_hash"] = fmt::format("{:016x}", spaces_hash);
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
  std::vector<Scenario> scenarios;
  for (const std::string& name : verb.scenarios) scenarios.push_back(load_scenario(name, platform));
  check_same_spaces(platform, scenarios);
  if (verb.store) {
    verb.out = make_place_for_policy(platform.name, verb.agent);
    check_output(verb.out, verb.out, kPolicyOutput);
  }

  for (const std::string& note : governed.notes) write_note(note + '\n');
  show_warnings(warnings_of(platform, scenarios));
  InterruptScope interrupt;
  Progress progress(fmt::format("training {} on {}", verb.agent, platform.name));
  LearningCurve curve(verb.episodes, static_cast<int>(scenarios.size()), !verb.json, progress);
  const std::vector<std::uint8_t> learned =
      train_in_turns(verb, platform, scenarios, curve, progress, interrupt.stop());
  progress.stop();
  if (curve.done() == 0) {
    failure("train", "interrupted before the first episode was done",
            fmt::format("'{}' was not touched, run it again", verb.out));
  }
  curve.finish();
  const PolicyFile policy{verb.agent, Spaces::of(platform, scenarios.front()).hash, learned};
  std::optional<Error> not_written;
  try {
    write_policy(verb.out, policy);
  } catch (const Error& error) {
    not_written = error;
  }

  if (verb.json) {
    Json json = to_json(verb, governed, scenarios, policy.spaces_hash, curve);
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
  names_option(*parser, "--scenario", verb->scenarios, "One or more scenarios, which take turns");
  parser->get_option("--scenario")->required();
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
