#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "governor/cli/interrupt.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/network.h"
#include "governor/cli/views/engine.h"
#include "governor/cli/views/quota.h"
#include "governor/machine/machine_profile.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

struct BenchVerb {
  std::string model = kDefaultModel;
  int threads = 0;  ///< 0: all
  double seconds = 2;
  bool json = false;
};

int run_bench(const BenchVerb& verb) {
  const InterruptScope interrupt(
      "flyball: network bench: interrupted before every batch was done; run it again\n");
  const NamedModel named = load_named_model(verb.model);
  const std::unique_ptr<InferenceEngine> engine = make_engine(named.model);
  if (verb.threads > engine->max_active()) {
    input_error(fmt::format("--threads {}", verb.threads),
                fmt::format("this process may use {} CPU{}", engine->max_active(),
                            engine->max_active() == 1 ? "" : "s"),
                "ask for no more, or allow it more (taskset)");
  }
  const CpuThrottling before = read_cpu_throttling();
  const EngineCalibration calibration = engine->calibrate(
      growing_cpu_sets(verb.threads), static_cast<std::int64_t>(verb.seconds * 1e9));
  const CpuThrottling throttling = read_cpu_throttling() - before;
  const Network& network = engine->network();
  if (verb.json) {
    write_result(json_text({{"schema", 1},
                            {"model", named.path},
                            {"checksum", fmt::format("{:08x}", named.checksum)},
                            {"operators", network.operators().name},
                            {"cpu_quota", quota_json(this_machine().cpu_quota)},
                            {"throttled_periods", throttling.throttled},
                            {"problem", engine->problem()},
                            {"rows", timing_json(calibration, network)}}));
    return 0;
  }
  const int columns = Terminal::of(STDOUT_FILENO).columns;
  std::string text = fmt::format("One inference of {}\n\n", named.path);
  text += timing_table(calibration, network).render(columns) + '\n';
  text += wrapped(operators_note(network), columns);
  text += wrapped(
      "Time is the first decile of the batches, spread half its distance from the last "
      "one in percent of the median; MACs are those of a direct convolution.",
      columns);
  if (calibration.unstable_rows() > 0) {
    text += wrapped(
        fmt::format("!: unstable, spread by more than {:.0f} %, since other programs ran beside.",
                    EngineCalibration::kUnstablePct),
        columns);
  }
  if (const std::string quota = quota_sentence(); !quota.empty()) text += wrapped(quota, columns);
  if (throttling.throttled > 0) text += wrapped(throttling_sentence(throttling), columns);
  if (!engine->problem().empty()) text += wrapped(engine->problem(), columns);
  write_result(text);
  return 0;
}

}  // namespace

Verb add_network_bench(CLI::App& network) {
  auto verb = std::make_shared<BenchVerb>();
  CLI::App* parser = network.add_subcommand(
      "bench", "Time an inference per width, precision and number of threads");
  model_option(*parser, verb->model);
  integer_option(*parser, "--threads", verb->threads, 1, 64, "At most so many (default: all CPUs)");
  seconds_option(*parser, "--seconds", verb->seconds, 0.1, 600, "How long to measure (default 2)");
  json_option(*parser, verb->json);
  parser->footer("Example:\n  flyball network bench --threads 2 --seconds 5");
  return {parser, [verb] { return run_bench(*verb); }};
}

}  // namespace flyball::cli
