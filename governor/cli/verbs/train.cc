#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "agents/agent.h"
#include "agents/policy_file.h"
#include "kernels/base/error.h"
#include "env/config/yaml.h"
#include "env/spaces/spaces.h"
#include "governor/cli/interrupt.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/verbs/policies.h"
#include "governor/cli/progress.h"
#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "governor/compare/compare.h"
#include "governor/machine/governed_platform.h"

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

struct CurvePoint {
  int episodes = 0;  ///< done by then
  double energy_mj_per_job = 0;
  double deadline_miss_pct = 0;
  double reward = 0;
};

/// Means over each tenth of the episodes, printed as they come.
class LearningCurve {
 public:
  LearningCurve(int episodes, bool print, Progress& progress)
      : episodes_(episodes), print_(print), progress_(progress) {}

  void add(const Metrics& metrics) {
    ++done_;
    ++in_point_;
    sum_.energy_mj_per_job += metrics.energy_mj_per_job;
    sum_.deadline_miss_pct += metrics.deadline_miss_pct;
    sum_.reward += metrics.reward;
    const int tenth = static_cast<int>(10LL * done_ / episodes_);
    if (tenth == tenth_ && done_ != episodes_) return;
    tenth_ = tenth;
    points_.push_back({done_, sum_.energy_mj_per_job / in_point_,
                       sum_.deadline_miss_pct / in_point_, sum_.reward / in_point_});
    if (print_) print(points_.back());
    sum_ = {};
    in_point_ = 0;
  }
  int done() const { return done_; }
  const std::vector<CurvePoint>& points() const { return points_; }

 private:
  void print(const CurvePoint& point) {
    std::string text;
    if (points_.size() == 1) {
      text = fmt::format("{:>9}  {:>9}  {:>9}  {:>11}\n", "episodes", "energy", "missed", "reward");
      text +=
          fmt::format("{:>9}  {:>9}  {:>9}  {:>11}\n", "", "mJ/job", "% of jobs", "per episode");
      text += std::string(44, '-') + '\n';
    }
    text += fmt::format("{:>9}  {:>9}  {:>9}  {:>11}\n", point.episodes,
                        fixed(point.energy_mj_per_job, 2), fixed(point.deadline_miss_pct, 2),
                        fixed(point.reward, 1));
    progress_.print_above(text);
  }

  const int episodes_;
  const bool print_;
  Progress& progress_;
  int done_ = 0, in_point_ = 0, tenth_ = 0;
  CurvePoint sum_;
  std::vector<CurvePoint> points_;
};

/// Takes turns between the scenarios, so that none is forgotten for another.
std::vector<std::uint8_t> train_in_turns(const TrainVerb& verb, const PlatformSpec& platform,
                                         const std::vector<Scenario>& scenarios,
                                         LearningCurve& curve, Progress& progress,
                                         const std::atomic<bool>& stop) {
  const int count = static_cast<int>(scenarios.size());
  const int turn = count == 1 ? verb.episodes : std::max(1, verb.episodes / (20 * count));
  std::vector<std::uint8_t> learned;
  const auto on_episode = [&](int, const Metrics& metrics) {
    curve.add(metrics);
    progress.update(static_cast<double>(curve.done()) / verb.episodes);
  };
  for (int done = 0, t = 0; done < verb.episodes && !stop; ++t) {
    const int episodes = std::min(turn, verb.episodes - done);
    learned = train(platform, scenarios[t % count], verb.agent, episodes, verb.seed + done,
                    on_episode, &stop, learned);
    done += episodes;
  }
  return learned;
}

int run_train(TrainVerb verb) {
  check_agent(verb.agent);
  if (!verb.store) check_policy_target(verb.out);
  const GovernedPlatform governed = load_governed_platform(verb.platform, verb.profile);
  const PlatformSpec& platform = governed.spec;
  if (verb.store) {
    verb.out = make_place_for_policy(platform.name, verb.agent);
    check_policy_target(verb.out);
  }
  std::vector<Scenario> scenarios;
  for (const std::string& name : verb.scenarios) scenarios.push_back(load_scenario(name, platform));
  check_same_spaces(platform, scenarios);

  for (const std::string& note : governed.notes) write_note(note + '\n');
  for (const std::string& warning : platform.warnings) write_note(warning + '\n');
  InterruptScope interrupt;
  Progress progress(fmt::format("training {} on {}", verb.agent, platform.name));
  LearningCurve curve(verb.episodes, !verb.json, progress);
  const std::vector<std::uint8_t> learned =
      train_in_turns(verb, platform, scenarios, curve, progress, interrupt.stop());
  progress.stop();
  if (interrupt.stopped()) {
    failure("train",
            fmt::format("interrupted after {} of {} episodes", curve.done(), verb.episodes),
            fmt::format("'{}' was not touched, run it again", verb.out));
  }
  const PolicyFile policy{verb.agent, Spaces::of(platform, scenarios.front()).hash, learned};
  write_policy(verb.out, policy);

  if (!verb.json) {
    write_result(fmt::format("\nwrote {} ({} bytes learned by {} in {} episodes)\n", verb.out,
                             learned.size(), verb.agent, verb.episodes));
    return 0;
  }
  Json json{{"schema", 1}, {"agent", verb.agent}, {"platform", platform.name}};
  Json& names = json["scenarios"] = Json::array();
  for (const Scenario& scenario : scenarios) names.push_back(scenario.name);
  json["profile"] = governed.profile.empty() ? Json(nullptr) : Json(governed.profile);
  json["platform_warnings"] = platform.warnings;
  json["episodes"] = verb.episodes;
  json["seed"] = verb.seed;
  json["out"] = verb.out;
  json["spaces_hash"] = fmt::format("{:016x}", policy.spaces_hash);
  Json& points = json["curve"] = Json::array();
  for (const CurvePoint& point : curve.points()) {
    points.push_back({{"episodes", point.episodes},
                      {"energy_mj_per_job", number_or_null(point.energy_mj_per_job)},
                      {"deadline_miss_pct", number_or_null(point.deadline_miss_pct)},
                      {"reward", number_or_null(point.reward)}});
  }
  write_result(json_text(json));
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
      "Example:\n  flyball train --platform odroid_xu3 --scenario background,bursty --episodes 500 "
      "--out xu3.policy");
  return {parser, [verb, out] {
            verb->store = out->empty();
            return run_train(*verb);
          }};
}

}  // namespace flyball::cli
