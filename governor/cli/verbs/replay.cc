#include "governor/replay/replay.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <memory>

#include "agents/agent.h"
#include "env/model/declared.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/policies.h"
#include "governor/cli/views/counterfactual.h"
#include "governor/machine/governed_platform.h"
#include "governor/metrics/session.h"
#include "governor/replay/recorded_tasks.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

struct ReplayVerb {
  std::string recording, policy, platform, profile, belief, policy_file, from;
  std::uint64_t seed = 1;
  bool json = false;
};

/// Whether the recorded policy went by what came of its choices. Of one that is not known it may.
bool recorded_learned(const Replay& replayed) {
  const AgentInfo* info = find_agent(replayed.recording.info.policy);
  return info == nullptr || info->learns;
}

Json to_json(const ReplayVerb& verb, const Replay& replayed, const Counterfactual& simulated,
             const std::string& platform) {
  const RecordingReport& recording = replayed.recording;
  Json json{{"schema", 1},
            {"record", verb.recording},
            {"recorded_policy", recording.info.policy},
            {"recorded_policy_learned", recorded_learned(replayed)},
            {"policy", verb.policy},
            {"platform", platform},
            {"scenario", recording.info.scenario},
            {"complete", recording.complete},
            {"decisions", replayed.decisions},
            {"agreed_decisions", replayed.agreed_decisions},
            {"jobs", replayed.jobs},
            {"queued_jobs", replayed.queued_jobs}};
  if (replayed.jobs > 0)
    json["overlap"] = {{"agreed_jobs_pct", replayed.overlap.agreed_pct},
                       {"effective_jobs", replayed.overlap.effective_jobs},
                       {"mean_weight", replayed.overlap.mean_weight}};
  json["reason"] = replayed.refusal.empty() ? Json(nullptr) : Json(replayed.refusal);
  Json& figures = json["figures"] = Json::object();
  for (const ReplayedFigure& figure : replayed.figures) {
    if (replayed.jobs == 0) continue;
    Json& one = figures[std::string(figure.key)] = {{"recorded", figure.recorded}};
    for (const OffPolicyEstimate& estimate : figure.estimates)
      one[estimate.method] = {
          {"value", estimate.value},
          {"low", estimate.low},
          {"high", estimate.high},
          {"shown_to_hold",
           recorded_learned(replayed) ? estimate.holds_for_learner : estimate.holds}};
  }
  json["simulation"] = counterfactual_json(simulated);
  return json;
}

std::string to_text(const ReplayVerb& verb, const Replay& replayed, const Counterfactual& simulated,
                    const std::string& platform, int columns) {
  std::string text =
      wrapped(fmt::format("{}: what {} would have done in the run of {} on {}, scenario {}",
                          verb.recording, verb.policy, replayed.recording.info.policy, platform,
                          replayed.recording.info.scenario),
              columns) +
      '\n' + counterfactual_text(simulated, verb.policy, columns) + '\n' +
      wrapped(fmt::format("From the record alone: it would have done what was done in {} of {} "
                          "decisions{}.",
                          replayed.agreed_decisions, replayed.decisions,
                          replayed.jobs == 0
                              ? ""
                              : fmt::format(" and {} % of {} jobs, which tell of it as much as "
                                            "{:.0f} jobs of its own",
                                            fixed(replayed.overlap.agreed_pct, 1), replayed.jobs,
                                            replayed.overlap.effective_jobs)),
              columns);
  if (!replayed.refusal.empty())
    return text + wrapped("No estimate: " + replayed.refusal + ".", columns);
  Table table({{"per job", "", true},
               {"recorded", ""},
               {"estimate", ""},
               {"95 % interval", ""},
               {"by", "", true}});
  bool marked = false;
  for (const ReplayedFigure& figure : replayed.figures) {
    std::string key(figure.key), recorded = fixed(figure.recorded, 3);
    for (const OffPolicyEstimate& estimate : figure.estimates) {
      const bool mark = !(recorded_learned(replayed) ? estimate.holds_for_learner : estimate.holds);
      marked |= mark;
      table.add_row({key, recorded, fixed(estimate.value, 3),
                     fixed(estimate.low, 3) + " to " + fixed(estimate.high, 3),
                     estimate.method + (mark ? " *" : "")});
      key = recorded = "";
    }
  }
  text += '\n' + table.render(columns) + '\n';
  if (marked)
    text += wrapped(
        replayed.overlap.effective_jobs < kShownJobs
            ? fmt::format(
                  "* Not shown to cover the truth in 95 % of records that tell as little of a "
                  "policy as fewer than {:g} jobs of its own.",
                  kShownJobs)
            : fmt::format(
                  "* Not shown to cover the truth in 95 % of the records of a policy that was "
                  "learning, as {} was.",
                  replayed.recording.info.policy),
        columns);
  return text;
}

/// Plain load as it came is a machine's, in which nothing says what there was to do.
RecordingInfo info_of_jobs(const std::string& recording) {
  bool any = false;
  RecordingVisitor visitor;
  visitor.on_bind = [&](int, const Binding&, const Observation&) { any = true; };
  RecordingInfo info = read_recording(recording, visitor).info;
  if (!any && info.scenario == kRecordedPlainLoad)
    input_error(
        recording,
        "is of plain load on a machine: what there was to do at another clock is not in it, "
        "so that no other policy can be played there",
        "look at it by 'flyball record show' or 'flyball report'");
  return info;
}

int run_replay(const ReplayVerb& verb) {
  check_policy_name(verb.policy);
  const AgentInfo& info = *find_agent(verb.policy);
  if (info.knows_future)
    input_error("--policy " + verb.policy, "it knows the future, and a record has none for it",
                "name a policy that decides on what it sees");
  const bool argument = verb.policy.find(':') != std::string::npos;
  if (info.searched && !argument)
    input_error("--policy " + verb.policy, "a record has no simulation to search it in",
                "name its configuration, as 'flyball compare' prints it");
  const RecordingInfo recorded = info_of_jobs(verb.recording);
  const std::string platform = verb.platform.empty() ? recorded.platform.name : verb.platform;
  GovernedPlatform governed = load_governed_platform(platform, verb.profile);
  Belief belief = load_belief(verb.belief, governed);
  const std::vector<PlainTask> tasks = recorded_tasks(verb.recording, governed.spec);
  add_task_profiles(tasks, governed.spec);
  add_task_profiles(tasks, belief.mean);
  const StartingPoint start =
      starting_point(policy_identity(verb.policy, belief, governed.times_hash), belief,
                     verb.policy_file, verb.from);
  const auto agent = [&](std::uint64_t seed) {
    auto made = make_agent(verb.policy, {belief, reward_weights(belief), seed, nullptr});
    if (!start.learned.empty()) made->load(start.learned, start.as_prior);
    return made;
  };
  const Replay replayed = replay(verb.recording, belief, *agent(own_dice(verb.seed)));
  const Counterfactual simulated =
      counterfactual(verb.recording, as_declared(governed.spec, belief), belief, *agent(verb.seed));
  const int columns = Terminal::of(STDOUT_FILENO).columns;
  if (verb.json) {
    write_result(json_text(to_json(verb, replayed, simulated, governed.spec.name)));
  } else {
    std::string text = to_text(verb, replayed, simulated, governed.spec.name, columns);
    if (!replayed.recording.complete)
      text +=
          wrapped("The recording is not complete: " + replayed.recording.problem() + ".", columns);
    if (!start.note.empty()) text += wrapped(start.note + ".", columns);
    write_result(text);
  }
  return 0;
}

}  // namespace

Verb add_replay(CLI::App& program) {
  auto verb = std::make_shared<ReplayVerb>();
  CLI::App* parser = program.add_subcommand("replay",
                                            "What another policy would have had in a recorded run: "
                                            "by simulation, and from the record alone");
  parser->add_option("recording", verb->recording, "The file that 'run --record' wrote")
      ->required()
      ->type_name("FILE");
  parser->add_option("--policy", verb->policy, "What to play in the recorded run")
      ->required()
      ->type_name("NAME");
  parser->add_option("--platform", verb->platform, "That the run was on (default: by its name)")
      ->type_name("NAME|FILE");
  profile_option(*parser, verb->profile);
  belief_option(*parser, verb->belief);
  parser->add_option("--policy-file", verb->policy_file, "What the policy has learned")
      ->type_name("FILE");
  parser->add_option("--from", verb->from, "The same of another platform, taken as a prior")
      ->type_name("FILE");
  seed_option(*parser, verb->seed, "For what the policy leaves to chance (default 1)");
  json_option(*parser, verb->json);
  parser->footer(
      "By simulation: jobs, their work, what was asked for, other load and ambient temperature "
      "are\n"
      "the record's, and the policy is played among them on the platform's model, beside the\n"
      "record's own decisions. Queues, heat and several applications are no hindrance. It is as\n"
      "good as the model, of which the model error is the measure: how far the recorded decisions\n"
      "come out otherwise than recorded.\n"
      "From the record alone: jobs in which the recorded policy did by chance what the other "
      "would\n"
      "have done count by how unlikely that was. Without chance, with queues, heat or several\n"
      "applications, no estimate is made and the reason is said.\n"
      "Example:\n  flyball replay run.flyrec --policy rule");
  return {parser, [verb] { return run_replay(*verb); }};
}

}  // namespace flyball::cli
