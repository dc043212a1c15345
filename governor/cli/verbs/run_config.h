#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "governor/cli/verbs/run_linux.h"

namespace flyball::cli {

/// "--config", and what else is only of a service.
struct ServiceOptions {
  std::string config;  ///< empty: kServiceConfig where that is; "none"
  std::string metrics_file;
  bool metrics_socket = false;
};
void service_options(CLI::App& parser, ServiceOptions& options);

/// Reads the file of settings into `verb`, whose fields are those of the command line: of what was
/// given there, the file changes nothing. Throws Error (kInput).
void take_config(const CLI::App& parser, const ServiceOptions& options, RunLinux& verb);

}  // namespace flyball::cli
