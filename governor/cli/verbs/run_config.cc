#include "governor/cli/verbs/run_config.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <system_error>

namespace flyball::cli {
namespace {

/// Those of another machine's are below its folder.
std::string default_config(const std::string& sysfs_root) {
  std::string path = (sysfs_root == "/" ? "" : sysfs_root) + kServiceConfig;
  std::error_code ignored;
  return std::filesystem::exists(path, ignored) ? path : "";
}

}  // namespace

void service_options(CLI::App& parser, ServiceOptions& options) {
  parser
      .add_option("--config", options.config,
                  fmt::format("On linux, a file of settings, which options have precedence of "
                              "(default {}, where there is one)",
                              kServiceConfig))
      ->type_name("FILE|none");
  parser
      .add_option("--metrics-file", options.metrics_file,
                  "On linux, keep metrics for Prometheus in this file while it governs")
      ->type_name("FILE");
  parser.add_flag("--metrics-socket", options.metrics_socket,
                  "On linux, serve them as HTTP by the socket metrics.sock in the state folder");
}

void take_config(const CLI::App& parser, const ServiceOptions& options, RunLinux& verb) {
  std::string& path = verb.config_path;
  path = options.config.empty() ? default_config(verb.sysfs_root) : options.config;
  if (path == "none") path.clear();
  ServiceConfig& config = verb.config;
  if (!path.empty()) config = read_service_config(path);
  const auto take = [&](const char* option, auto& field, const auto& from_file) {
    if (from_file && parser.count(option) == 0) field = *from_file;
  };
  // The service's is of clocks alone, which no scenario's jobs are governed by.
  if (verb.jobs.scenario.empty()) take("--policy", verb.policy, config.policy);
  take("--applications", verb.applications, config.applications);
  take("--actuator", verb.actuator, config.actuator);
  take("--force", verb.force, config.force);
  take("--dry-run", verb.dry_run, config.dry_run);
  take("--state-dir", verb.state_dir, config.state_dir);
  if (config.seed && parser.count("--seed") == 0)
    verb.seed = static_cast<std::uint64_t>(*config.seed);
  verb.metrics.file = options.metrics_file;
  verb.metrics.socket = options.metrics_socket;
  take("--metrics-file", verb.metrics.file, config.metrics_file);
  take("--metrics-socket", verb.metrics.socket, config.metrics_socket);
  if (config.metrics_every_s) verb.metrics.every_ns = std::llround(*config.metrics_every_s * 1e9);
}

}  // namespace flyball::cli
