#include <fmt/format.h>
#include <signal.h>

#include <exception>
#include <new>
#include <system_error>

#include "governor/cli/build_id.h"
#include "governor/cli/command_line.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/infer.h"
#include "kernels/base/control_character.h"
#include "kernels/base/error.h"
#include "kernels/base/memory_error.h"
#include "kernels/base/thread_error.h"

namespace flyball::cli {
namespace {

constexpr int kWrongUse = 2;
constexpr int kFailed = 1;

/// One line, whatever was in the names and files that the message quotes.
int report(const std::string& message, int code) {
  write_note(fmt::format("flyball: {}\n", printable(message)));
  return code;
}

int run_program(int argc, char** argv) {
  CLI::App program(
      "Keeps neural-network inference inside its time, energy and accuracy requirements by "
      "turning\n"
      "frequency, task mapping and quality together, with an agent that learns.");
  program.name("flyball");
  program.set_version_flag("--version",
                           fmt::format("flyball {} (build {})", FLYBALL_VERSION, kBuildId),
                           "Print the version and exit");
  program.set_help_flag("-h,--help", "Print this help and exit");
  program.require_subcommand(0, 1);
  program.get_formatter()->label("SUBCOMMAND", "VERB");
  program.get_formatter()->label("Subcommands", "Verbs");
  program.footer(
      "Each verb explains itself with an example: flyball run --help\n"
      "Exit status: 0 done, 1 failed or only in part, 2 wrong use or bad input.");
  std::vector<Verb> verbs = {add_run(program), add_train(program), add_compare(program),
                             add_merge(program),
                             add_evaluate(program), add_profile(program)};
  const std::vector<Verb> network = add_network(program);
  verbs.insert(verbs.end(), network.begin(), network.end());
  const std::vector<Verb> record = add_record(program);
  verbs.insert(verbs.end(), record.begin(), record.end());
  const std::vector<Verb> import = add_import(program);
  verbs.insert(verbs.end(), import.begin(), import.end());
  const std::vector<Verb> others = {
      add_report(program),  add_characterise(program), add_fit(program),
      add_list(program),    add_export(program),       add_replay(program),
      add_restore(program), add_doctor(program),       add_status(program),
      add_explain(program), add_set(program),          add_shadow(program),
      add_audit(program),   add_top(program),          add_infer(program),
      add_metrics(program), add_documentation(program)};
  verbs.insert(verbs.end(), others.begin(), others.end());
  const Verb* verb = parse_command_line(program, verbs, argc, argv);
  const int code = verb ? verb->run() : 0;
  check_results_written();
  return code;
}

int run_with_reasons(int argc, char** argv) {
  try {
    return run_program(argc, argv);
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::resource_unavailable_try_again) throw;
    no_thread("this verb", error);
  }
}

}  // namespace
}  // namespace flyball::cli

int main(int argc, char** argv) {
  using namespace flyball;
  using namespace flyball::cli;
  // A reader that goes away, or a file that may not grow, must not kill a run whose record is still
  // open: the writes are refused instead (EPIPE, EFBIG).
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  try {
    return run_with_reasons(argc, argv);
  } catch (const Error& error) {
    return report(error.what(), error.kind() == Error::Kind::kInput ? kWrongUse : kFailed);
  } catch (const std::bad_alloc&) {
    return report(no_memory(), kFailed);
  } catch (const std::exception& error) {
    return report(
        fmt::format("internal error: {}; please report it with the command line", error.what()),
        kFailed);
  }
}
