#include <unistd.h>

#include <memory>

#include "governor/channel/channel_server.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/asked_governor.h"
#include "governor/cli/views/applications.h"
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
  const std::string joined = ask_for_applications(options.state_dir);
  if (!governor && joined.empty()) return none_governs(options.state_dir, options.json, "status");
  const Json applications = joined.empty() ? Json::array() : applications_json(joined);
  const int columns = Terminal::of(STDOUT_FILENO).columns;
  const std::string apps = applications_text(applications, columns);
  if (!governor) {  // an emulated run, which governs nothing but applications
    const Json json{{"schema", 1},
                    {"running", true},
                    {"state_dir", options.state_dir},
                    {"applications", applications}};
    write_result(options.json ? json_text(json)
                 : apps.empty()
                     ? "A flyball runs on emulated clocks; no application has joined it.\n"
                     : "A flyball runs on emulated clocks, joined by:\n" + apps);
    return 0;
  }
  const StatusShown shown{governor->view.facts(), governor->view.now(), monotonic_ns()};
  Json json = status_json(shown);
  json["applications"] = applications;
  write_result(options.json ? json_text(json) : status_text(shown, columns) + apps);
  return 0;
}

int show_explanation(const AskOptions& options) {
  const std::optional<AskedGovernor> governor = ask_governor(options.state_dir);
  if (!governor)
    return none_governs(options.state_dir, options.json, "decisions on this machine's clocks");
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
