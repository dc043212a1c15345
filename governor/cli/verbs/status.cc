#include <unistd.h>

#include <memory>

#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/asked_governor.h"
#include "governor/cli/views/explain_report.h"
#include "governor/cli/views/status_report.h"
#include "governor/supervisor/state_dir.h"
#include "kernels/base/clock.h"

namespace flyball::cli {
namespace {

struct AskOptions {
  std::string state_dir = kDefaultStateDir;
  bool json = false;
  int decisions = 5;
};

int show_status(const AskOptions& options) {
  const std::optional<AskedGovernor> governor = ask_governor(options.state_dir);
  if (!governor) return none_governs(options.state_dir, options.json);
  const StatusShown shown{governor->view.facts(), governor->view.now(), monotonic_ns()};
  write_result(options.json ? json_text(status_json(shown))
                            : status_text(shown, Terminal::of(STDOUT_FILENO).columns));
  return 0;
}

int show_explanation(const AskOptions& options) {
  const std::optional<AskedGovernor> governor = ask_governor(options.state_dir);
  if (!governor) return none_governs(options.state_dir, options.json);
  const StatusFacts facts = governor->view.facts();
  const std::vector<PlainDecision> decisions = governor->view.decisions(options.decisions);
  const std::int64_t now_ns = monotonic_ns();
  write_result(options.json
                   ? json_text(explain_json(facts, decisions, now_ns))
                   : explain_text(facts, decisions, now_ns, Terminal::of(STDOUT_FILENO).columns));
  return 0;
}

constexpr const char* kCodes =
    "\nExit status: 0 a flyball governs, 3 none does, 1 it cannot be asked.";

}  // namespace

Verb add_status(CLI::App& program) {
  auto options = std::make_shared<AskOptions>();
  CLI::App* parser = program.add_subcommand(
      "status", "Say what the flyball that governs this machine is doing, in means of a second");
  state_dir_option(*parser, options->state_dir);
  json_option(*parser, options->json);
  parser->footer(std::string("Example:\n  flyball status    # for everybody; changes nothing") +
                 kCodes);
  return {parser, [options] { return show_status(*options); }};
}

Verb add_explain(CLI::App& program) {
  auto options = std::make_shared<AskOptions>();
  CLI::App* parser = program.add_subcommand(
      "explain", "Say why the flyball that governs changed the clocks as it did, last");
  integer_option(*parser, "-n", options->decisions, 1, StatusPage::kDecisions,
                 "How many decisions (default 5)");
  state_dir_option(*parser, options->state_dir);
  json_option(*parser, options->json);
  parser->footer(std::string("Example:\n  flyball explain -n 1") + kCodes);
  return {parser, [options] { return show_explanation(*options); }};
}

}  // namespace flyball::cli
