#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "governor/status/control_client.h"
#include "governor/status/status_memory.h"

namespace flyball::cli {

/// A governor that runs, as it is asked over its control socket.
struct AskedGovernor {
  ControlClient client;
  StatusView view;
};

/// Exit code of a verb that asks a governor where none runs, as systemctl's.
inline constexpr int kNoneGoverns = 3;

void state_dir_option(CLI::App& parser, std::string& value);
/// Nothing when none governs there. Throws Error (kFailure).
std::optional<AskedGovernor> ask_governor(const std::string& state_dir);
/// The result of a verb that found none, and its exit code. `of_machine`: what the verb is after, which
/// a flyball that runs there on emulated clocks does not have.
int none_governs(const std::string& state_dir, bool json, const std::string& of_machine);

}  // namespace flyball::cli
