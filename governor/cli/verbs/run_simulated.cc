#include "governor/cli/verbs/run_simulated.h"

#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <string_view>

#include "agents/agent.h"
#include "env/model/declared.h"
#include "env/scenario/plain_tasks.h"
#include "governor/cli/interrupt.h"
#include "governor/cli/json.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/live_run.h"
#include "governor/cli/verbs/policies.h"
#include "governor/cli/views/metrics_table.h"
#include "governor/cli/views/warnings.h"
#include "governor/compare/simulation.h"
#include "governor/metrics/session.h"
#include "governor/record/export.h"
#include "governor/record/recorder.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

std::string simulated_json(const RunSimulated& verb, const Scenario& scenario,
                           const StartingPoint& start, const Metrics& metrics) {
  Json json{{"schema", 1},
            {"simulated", true},
            {"platform", verb.governed.spec.name},
            {"scenario", scenario.name},
            {"policy", verb.policy},
            {"seed", verb.seed},
            {"record", verb.record}};
  json["notes"] = start.note.empty() ? Json::array() : Json::array({start.note});
  Json& figures = json["figures"] = Json::object();
  for (const MetricView& view : metric_views()) {
    figures[std::string(view.key)] = number_or_null(metrics.*view.value);
  }
  return json_text(json);
}

}  // namespace

int run_simulated(RunSimulated verb) {
  if (const AgentInfo* info = find_agent(verb.policy); info->searched && verb.policy == info->name)
    input_error("--policy " + verb.policy, "its configuration is found by a search",
                "name it, as 'flyball compare' prints it");
  PlatformSpec truth = verb.governed.spec;
  add_task_profiles(verb.scenario, truth);
  add_task_profiles(verb.scenario, verb.belief.mean);
  const PlatformSpec declared = as_declared(truth, verb.belief);
  Scenario scenario = load_scenario(verb.scenario, declared);
  if (verb.duration_s > 0) scenario = with_duration(std::move(scenario), verb.duration_s);
  const StartingPoint start =
      starting_point(policy_identity(verb.policy, verb.belief, verb.governed.times_hash),
                     verb.belief, verb.policy_file, verb.from);
  const RewardWeights weights = reward_weights(verb.belief);
  const Stage stage = simulate(declared, scenario, verb.seed);
  const auto agent = make_agent(verb.policy, {verb.belief, weights, verb.seed, nullptr});
  if (!start.learned.empty()) agent->load(start.learned, start.as_prior);
  if (verb.check) return 0;
  show_warnings(warnings_of(declared, {scenario}));
  if (verb.json && !start.differs.empty()) write_note(start.note + ".\n");
  RecordingInfo info =
      recording_info(declared, verb.belief, scenario, verb.policy, verb.seed, weights);
  info.hashes.policy = start.learned_hash();
  // A minute of it takes no time: blocks go out when they are full.
  Recorder recorder(verb.record, info,
                    {.flush_ns = 60'000'000'000, .wait_for_disk = true, .compress = true});
  const InterruptScope interrupt;
  SessionOptions session;
  session.truth = &truth;
  session.sinks = {&recorder};
  session.stop = &interrupt.stop();
  const Metrics metrics =
      run_session(*stage.platform, verb.belief, *agent, weights, session).metrics;
  if (const std::string problem = recorder.finish(); !problem.empty())
    throw Error(Error::Kind::kFailure, problem);
  if (!verb.csv.empty()) export_csv(verb.record, verb.csv);
  if (verb.json) {
    write_result(simulated_json(verb, scenario, start, metrics));
  } else {
    const int columns = Terminal::of(STDOUT_FILENO).columns;
    std::string text =
        wrapped(fmt::format("{} on {}, scenario {}, seed {}: simulated, recorded in "
                            "{}.",
                            verb.policy, truth.name, scenario.name, verb.seed, verb.record),
                columns);
    text += '\n' + metrics_table({{verb.policy, {metrics}}}, metric_views()).render(columns);
    if (!start.note.empty()) text += '\n' + wrapped(start.note + ".", columns);
    write_result(text);
  }
  if (interrupt.stopped()) failure("run", "interrupted before its end", "run it again");
  return 0;
}

}  // namespace flyball::cli
