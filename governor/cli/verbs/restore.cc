#include "governor/supervisor/restore.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <system_error>

#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/sysfs_root.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

struct RestoreVerb {
  RestoreOptions options;
  bool json = false;
};

const char* name_of(Remains remains) {
  switch (remains) {
    case Remains::kEarlierBoot:
      return "earlier_boot";
    case Remains::kSettings:
      return "settings";
    case Remains::kNothing:
      break;
  }
  return "nothing";
}

Json settings_json(const GiveBackResult& result) {
  Json settings = Json::array();
  for (const SettingResult& each : result.settings) {
    Json& setting = settings.emplace_back(Json{{"setting", each.name},
                                               {"outcome", flyball::name_of(each.outcome)},
                                               {"before", each.before},
                                               {"before_is_certain", each.before_is_certain}});
    if (!each.found.empty()) setting["found"] = each.found;
    if (each.error != 0) setting["errno"] = each.error;
  }
  return settings;
}

std::string text_of(const RestoreReport& report, const std::string& state_dir) {
  const std::string removed =
      report.elsewhere_removed.empty()
          ? ""
          : fmt::format(
                "state folder {}, of who governed this machine last, is gone: should anything not "
                "have been given back, look at governors and limits by hand ('flyball doctor' "
                "shows them)\n",
                report.elsewhere_removed);
  switch (report.remains) {
    case Remains::kNothing:
      return fmt::format("nothing to give back: no governor has left anything in {}\n", state_dir) +
             removed;
    case Remains::kEarlierBoot:
      return "nothing to give back: what a governor left is of an earlier start of the machine\n" +
             removed;
    case Remains::kSettings:
      break;
  }
  const std::string elsewhere =
      report.elsewhere.empty()
          ? ""
          : fmt::format("left with state folder {}, of who governed this machine last:\n",
                        report.elsewhere);
  return elsewhere + report_text(report.result) + report.result.sum() + '\n' + removed;
}

/// The default folder is absent where no governor has run. One that somebody names is misspelt then,
/// and "nothing to give back" would leave the machine as it is.
void check_folders(const RestoreVerb& verb, bool named) {
  std::error_code ignored;
  if (named && !std::filesystem::exists(verb.options.state_dir, ignored)) {
    input_error("--state-dir " + verb.options.state_dir, "there is no such folder",
                "name the one that the governor was started with");
  }
}

int run_restore(RestoreVerb verb, bool named) {
  check_folders(verb, named);
  if (!verb.options.sysfs_root.empty())
    verb.options.sysfs_root = tree_at(verb.options.sysfs_root).root();
  const std::string& state_dir = verb.options.state_dir;
  const RestoreReport report = restore(verb.options);
  if (verb.json) {
    write_result(json_text(
        {{"schema", 1},
         {"state_dir", report.elsewhere.empty() ? state_dir : report.elsewhere},
         {"remains", name_of(report.remains)},
         {"settings", settings_json(report.result)},
         {"missing", report.result.missing()},
         {"not_looked_at",
          report.elsewhere_problem.empty() ? Json(nullptr) : Json(report.elsewhere_problem)},
         {"removed_state_dir",
          report.elsewhere_removed.empty() ? Json(nullptr) : Json(report.elsewhere_removed)}}));
  } else {
    write_result(text_of(report, state_dir));
  }
  if (report.result.missing() > 0) {
    failure("restore",
            fmt::format("{} of {} settings do not have their old value", report.result.missing(),
                        report.result.settings.size()),
            "they are kept: try again with 'flyball restore' when the cause is gone");
  }
  if (!report.elsewhere_problem.empty()) {
    failure("restore", report.elsewhere_problem,
            "see to that, and try again, or name that folder with --state-dir");
  }
  return 0;
}

}  // namespace

Verb add_restore(CLI::App& program) {
  auto verb = std::make_shared<RestoreVerb>();
  CLI::App* parser = program.add_subcommand(
      "restore", "Give back what a governor changed that could not do so itself");
  parser
      ->add_option("--state-dir", verb->options.state_dir,
                   "The folder that the governor was started with")
      ->type_name("DIR")
      ->capture_default_str();
  parser
      ->add_option("--sysfs-root", verb->options.sysfs_root,
                   "The folder that 'sys' is in, for tests")
      ->type_name("DIR");
  json_option(*parser, verb->json);
  parser->footer(
      "A governor and its supervisor give everything back themselves, whatever ends one of them; "
      "this\n"
      "is for when both were killed. Only settings that still have a value of flyball's are "
      "touched.\n"
      "Status 1 when one could not be given back.\n"
      "Example:\n  flyball restore");
  return {parser, [verb, parser] { return run_restore(*verb, parser->count("--state-dir") > 0); }};
}

}  // namespace flyball::cli
