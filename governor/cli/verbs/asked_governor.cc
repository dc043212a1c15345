#include "governor/cli/verbs/asked_governor.h"

#include <fmt/format.h>

#include "governor/channel/channel_server.h"
#include "governor/cli/json.h"
#include "governor/cli/terminal.h"
#include "governor/supervisor/state_dir.h"

namespace flyball::cli {

void state_dir_option(CLI::App& parser, std::string& value) {
  parser
      .add_option("--state-dir", value,
                  fmt::format("Where the governor keeps its state (default {})", kDefaultStateDir))
      ->type_name("DIR");
}

std::optional<AskedGovernor> ask_governor(const std::string& state_dir) {
  std::optional<ControlClient> client = ControlClient::connect(state_dir);
  if (!client) return std::nullopt;
  StatusView view(client->page());
  return AskedGovernor{std::move(*client), std::move(view)};
}

int none_governs(const std::string& state_dir, bool json, const std::string& of_machine) {
  if (!ask_for_applications(state_dir).empty()) {
    write_result(
        json ? json_text(Json{
                   {"schema", 1}, {"running", true}, {"emulated", true}, {"state_dir", state_dir}})
             : fmt::format(
                   "the flyball here ({}) runs on emulated clocks, which has no {}: 'flyball "
                   "status' says which applications have joined it\n",
                   state_dir, of_machine));
    return kNoneGoverns;
  }
  write_result(json ? json_text(Json{{"schema", 1}, {"running", false}, {"state_dir", state_dir}})
                    : fmt::format("no flyball governs here ({}): 'flyball run --platform linux' "
                                  "does, 'flyball doctor' says what there is\n",
                                  state_dir));
  return kNoneGoverns;
}

}  // namespace flyball::cli
