#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "env/linux/linux_tuning.h"
#include "env/linux/machine_spec.h"

namespace flyball {

/// Where a service's settings are, on this machine or below the folder of another.
inline constexpr const char* kServiceConfig = "/etc/flyball/flyball.yaml";

/// What a file tells `flyball run --platform linux`. Only what stands there has a value.
struct ServiceConfig {
  struct Limit {
    std::string policy;
    std::string where;  ///< for an Error about it
    std::int64_t min_khz = 0, max_khz = 0;
  };
  std::optional<std::string> policy, applications, actuator, state_dir, metrics_file;
  std::optional<bool> force, dry_run, metrics_socket;
  std::optional<std::int64_t> seed;
  std::optional<double> epoch_ms, preference, metrics_every_s;
  std::vector<Limit> limits;
};

/// Throws Error (kInput) for a file that is wrong, or that root should not trust: others may write
/// to it.
ServiceConfig read_service_config(const std::string& path);

/// What can also be set while it runs, with each limit at a clock that the policy has. Throws Error
/// (kInput) for a policy that there is not, or a limit that is none of its clocks'.
LinuxTuning tuning_of(const ServiceConfig& config, const LinuxMachine& machine,
                      const MachineSpec& made);

}  // namespace flyball
