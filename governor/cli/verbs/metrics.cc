#include <memory>

#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/asked_governor.h"
#include "governor/status/metrics_text.h"
#include "governor/supervisor/state_dir.h"
#include "kernels/base/clock.h"

namespace flyball::cli {

Verb add_metrics(CLI::App& program) {
  auto state_dir = std::make_shared<std::string>(kDefaultStateDir);
  CLI::App* parser = program.add_subcommand(
      "metrics", "Print what the flyball that governs this machine does as metrics for Prometheus");
  state_dir_option(*parser, *state_dir);
  parser->footer(
      "Example:\n  flyball metrics    # 'run' keeps them in a file, or serves them, by "
      "--metrics-file and --metrics-socket\n"
      "Exit status: 0 a flyball governs, 3 none does, 1 it cannot be asked.");
  return {
      parser, [state_dir] {
        const std::optional<AskedGovernor> governor = ask_governor(*state_dir);
        if (!governor) return none_governs(*state_dir, false, "metrics of this machine");
        write_result(metrics_text(governor->view.facts(), governor->view.now(), monotonic_ns()));
        return 0;
      }};
}

}  // namespace flyball::cli
