#pragma once

#include <cstdint>
#include <string>

#include "governor/cli/verbs/linux_jobs.h"
#include "governor/service/service_config.h"
#include "governor/status/metrics_server.h"

namespace flyball::cli {

/// `flyball run --platform linux`: this machine's own clocks, under plain load and jobs of its own.
struct RunLinux {
  std::string policy = "plain_load";
  std::string applications = "q_learning";  ///< decides for those that join by app.sock
  std::string sysfs_root = "/";
  std::string state_dir;  ///< where settings are kept until they are given back
  std::string actuator = "auto";
  bool dry_run = false;
  bool force = false;     ///< goes on turning what another program has changed
  double duration_s = 0;  ///< 0: until it is interrupted
  std::uint64_t seed = 1;
  MetricsOptions metrics;
  std::string config_path;  ///< what `config` was read from; empty: from nowhere
  ServiceConfig config;     ///< of it, what is to be set at the start is used here
  bool json = false;
  bool check = false;
  std::string record{};  ///< of plain load; that of jobs is theirs
  LinuxJobsAsked jobs{};
};

/// Throws Error (kInput) unless it decides by what clusters show, and nothing of jobs.
void check_plain_policy(const std::string& policy);

/// Throws Error. Governs until the time is over or a signal comes, and gives everything back.
int run_linux(const RunLinux& verb);

}  // namespace flyball::cli
