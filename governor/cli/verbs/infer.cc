#include "governor/cli/verbs/infer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "governor/cli/interrupt.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/infer_output.h"
#include "governor/cli/verbs/made_file.h"
#include "governor/cli/views/infer_lines.h"
#include "governor/infer/infer_loop.h"
#include "governor/machine/named_model.h"
#include "kernels/base/error.h"
#include "kernels/base/thread_error.h"

namespace flyball::cli {
namespace {

struct InferVerb {
  std::string model = kDefaultModel;
  std::string images = "procedural";
  std::string name;
  double period_ms = 0, rate_hz = 0, duration_s = 0;
  double deadline_ms = 0, grace_ms = 0, accuracy_pct = 0, energy_mj = 0, power_mw = 0;
  int jobs = 0, priority = 1, threads = 0;
  std::string maximise = "energy";
  std::string out;
  bool json = false, quiet = false;
};

std::int64_t ns_of_ms(double ms) { return std::llround(ms * 1e6); }

JobPlan plan_of(const InferVerb& verb, const CLI::App& parser) {
  if (parser.count("--period-ms") > 0 && parser.count("--rate") > 0)
    input_error("--period-ms, --rate", "say the same thing", "leave one of them out");
  for (const auto& [flag, value] :
       {std::pair("--period-ms", verb.period_ms), std::pair("--rate", verb.rate_hz)}) {
    if (parser.count(flag) > 0 && value == 0)
      input_error(fmt::format("{} 0", flag), "jobs that come that often have no time between them",
                  "leave it out for one job after the other");
  }
  JobPlan plan;
  plan.period_ns = verb.rate_hz > 0 ? ns_of_ms(1000 / verb.rate_hz) : ns_of_ms(verb.period_ms);
  // A picture is wanted before the next one is there.
  plan.deadline_ns = verb.deadline_ms > 0 ? ns_of_ms(verb.deadline_ms) : plan.period_ns;
  plan.jobs = static_cast<std::uint64_t>(verb.jobs);
  plan.duration_ns = std::llround(verb.duration_s * 1e9);
  return plan;
}

int objective_of(const std::string& name) {
  const std::vector<std::string>& known = infer_objectives();
  const auto found = std::ranges::find(known, name);
  if (found == known.end())
    input_error("--objective " + name, "there is no such objective", "use one of " + joined(known));
  constexpr std::array kObjectives = {FLYBALL_ENERGY, FLYBALL_ACCURACY, FLYBALL_LATENCY};
  return kObjectives[static_cast<std::size_t>(found - known.begin())];
}

flyball_requirements requirements_of(const InferVerb& verb, const JobPlan& plan) {
  flyball_requirements required{};
  required.period_ns = plan.period_ns;
  required.deadline_ns = plan.deadline_ns;
  required.grace_ns = ns_of_ms(verb.grace_ms);
  required.accuracy_floor_pct = verb.accuracy_pct;
  required.energy_budget_mj = verb.energy_mj;
  required.power_budget_mw = verb.power_mw;
  required.priority = verb.priority;
  required.objective = objective_of(verb.maximise);
  return required;
}

std::unique_ptr<InferenceEngine> engine_of(const Model& model) {
  try {
    return std::make_unique<InferenceEngine>(Network(model));
  } catch (const std::system_error& error) {
    no_thread("worker pool", error);
  }
}

/// Of a model, in the form that flyball.h asks of an application's name.
std::string name_of_file(const std::string& path) {
  std::string name = std::filesystem::path(path).stem().string().substr(0, FLYBALL_NAME_BYTES - 1);
  for (char& c : name)
    if (static_cast<unsigned char>(c) <= ' ' || std::strchr("\",\\\x7f", c) != nullptr) c = '_';
  return name;
}

/// What cannot be had, whatever a governor does.
void warn_of_accuracy(const Network& network, double floor_pct) {
  const std::vector<double> pcts = knob_accuracies(network);
  if (floor_pct <= 0) return;
  if (pcts.empty()) {
    write_note(
        "infer: nobody has measured how accurate this model is: --accuracy says nothing to a "
        "governor\n");
  } else if (const double best = *std::max_element(pcts.begin(), pcts.end()); best < floor_pct) {
    write_note(fmt::format("infer: {:g} % is more than all of this model reaches: {:.1f} %\n",
                           floor_pct, best));
  }
}

int run_infer_verb(const InferVerb& verb, const CLI::App& parser) {
  const JobPlan plan = plan_of(verb, parser);
  const flyball_requirements required = requirements_of(verb, plan);
  const std::string file = is_standard_output(verb.out) ? "" : verb.out;
  if (!file.empty()) InferOutput::check(file, verb.json);
  const InterruptScope interrupt;
  const NamedModel named = load_named_model(verb.model);
  const JobImages images = open_job_images(verb.images, named.model);
  const std::unique_ptr<InferenceEngine> engine = engine_of(named.model);
  if (verb.threads > engine->max_active())
    input_error(fmt::format("--threads {}", verb.threads),
                fmt::format("this process may use {} CPUs", engine->max_active()),
                "name at most so many");

  GovernedNetwork::Options options;
  options.name = verb.name.empty() ? name_of_file(named.path) : verb.name;
  options.threads = verb.threads > 0 ? verb.threads : engine->max_active();
  options.required = required;
  GovernedNetwork network(engine->network(), options);
  warn_of_accuracy(engine->network(), verb.accuracy_pct);

  const InferLines lines({named.path, named.model.spec.widths, plan, required}, images, verb.json);
  InferOutput out(file, lines.first(!verb.quiet));
  InferEvents events;
  events.done = [&](const JobResult& result) {
    if (!verb.quiet) out.write(lines.job(result));
    return out.wanted();
  };
  events.idle = [&] { out.flush(); };
  events.changed_hands = [](bool governed) {
    write_note(governed
                   ? "infer: a governor has it in hand\n"
                   : "infer: the governor is gone; going on at full width, and looking for one\n");
  };
  events.problem = [](const std::string& problem) {
    write_note(fmt::format("infer: {}; going on wherever Linux puts it\n", problem));
  };
  const InferTotals totals = run_infer(*engine, network, images, plan, interrupt.stop(), events);
  out.write(lines.last(totals, network.effect()));
  out.finish();
  const bool endless = plan.jobs == 0 && plan.duration_ns == 0;
  return totals.complete || endless || result_refused() ? 0 : 1;
}

}  // namespace

const std::vector<std::string>& infer_objectives() {
  static const std::vector<std::string> kNames = {"energy", "accuracy", "latency"};
  return kNames;
}

Verb add_infer(CLI::App& program) {
  auto verb = std::make_shared<InferVerb>();
  CLI::App* parser = program.add_subcommand(
      "infer", "Run the dynamic network on images, as an application that the governor steers");
  parser
      ->add_option(
          "--images", verb->images,
          "procedural; a folder of PNG and PPM files, brought to the network's size; one such "
          "file; or a CIFAR-10 file, *.bin (default procedural)")
      ->type_name("procedural|DIR|FILE");
  parser
      ->add_option("--model", verb->model,
                   fmt::format("A model file or the name of one in configs/models (default {})",
                               kDefaultModel))
      ->type_name("FILE|NAME");
  number_option(
      *parser, "--period-ms", verb->period_ms, 0, 3.6e6, "MS",
      "A job so often; one that has not begun when the next is there is dropped (default: one "
      "after the other)");
  number_option(*parser, "--rate", verb->rate_hz, 0, 1e5, "HZ", "The same as jobs a second");
  integer_option(*parser, "--jobs", verb->jobs, 1, 2'000'000'000,
                 "End after so many, the dropped ones among them (default: with Ctrl-C)");
  seconds_option(*parser, "--duration", verb->duration_s, 0.01, 1e7, "End after so long");
  number_option(*parser, "--deadline-ms", verb->deadline_ms, 0.001, 3.6e6, "MS",
                "A job is due so long after its release (default: the period)");
  number_option(*parser, "--grace-ms", verb->grace_ms, 0, 3.6e6, "MS",
                "A late job loses its worth over so long (default 0: at once)");
  number_option(*parser, "--accuracy", verb->accuracy_pct, 0, 100, "PCT",
                "No less than so much top-1 accuracy (default 0)");
  number_option(*parser, "--energy-mj", verb->energy_mj, 0.001, 1e9, "MJ",
                "No more energy for a job (default: no limit)");
  number_option(*parser, "--power-mw", verb->power_mw, 0.001, 1e9, "MW",
                "No more power of the whole machine (default: no limit)");
  integer_option(*parser, "--priority", verb->priority, 1, 100,
                 "Weight of a missed deadline beside those of other applications (default 1)");
  parser
      ->add_option(
          "--objective", verb->maximise,
          "What to seek within all that: energy (least), accuracy (most) or latency (least) "
          "(default energy)")
      ->type_name("NAME");
  integer_option(*parser, "--threads", verb->threads, 1, 1024,
                 "Threads of a job where no governor says how many (default: one for each CPU)");
  parser
      ->add_option("--name", verb->name,
                   "What the governor calls it, which learns by this name (default: the model's)")
      ->type_name("NAME");
  parser
      ->add_option("--out", verb->out,
                   "Write the results to this file, as they come (-: standard output)")
      ->type_name("FILE");
  parser->add_flag("--quiet", verb->quiet, "No line for each job");
  parser->add_flag("--json", verb->json, "Print a JSON object a line, with units in the keys");
  parser->footer(
      "Example:\n  flyball infer --period-ms 40 --accuracy 60 --jobs 250\n"
      "  flyball infer --images pictures/ --json");
  return {parser, [verb, parser] { return run_infer_verb(*verb, *parser); }};
}

}  // namespace flyball::cli
