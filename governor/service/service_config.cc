#include "governor/service/service_config.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "env/config/yaml.h"
#include "governor/status/tuning_control.h"
#include "kernels/base/error.h"
#include "kernels/base/file_descriptor.h"

namespace flyball {
namespace {

constexpr std::int64_t kMaxLimitKhz = 100'000'000;

/// What stands in it is done as root.
void check_trusted(const std::string& path, int file) {
  struct stat info {};
  if (geteuid() != 0 || fstat(file, &info) != 0) return;
  if (info.st_uid != 0) {
    input_error(path, fmt::format("belongs to user {}, and root is to obey it", info.st_uid),
                "let root own it: chown root");
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    input_error(path, "others than root may write to it", "take that from them: chmod go-w");
  }
}

/// What is said of the opened file, of the path that it was opened by.
std::string said_of(const std::string& path, const std::string& opened, std::string text) {
  for (std::size_t at = 0; (at = text.find(opened, at)) != text.npos; at += path.size())
    text.replace(at, opened.size(), path);
  return text;
}

std::optional<std::string> path_in(const YamlMap& map, std::string_view key) {
  if (!map.has(key)) return std::nullopt;
  std::string path = map.text(key);
  if (path.empty() || path[0] != '/')
    map.reject(key, "must be a whole path", "begin it with a slash");
  return path;
}

template <typename Value, typename Read>
std::optional<Value> if_there(const YamlMap& map, std::string_view key, Read read) {
  return map.has(key) ? std::optional<Value>(read()) : std::nullopt;
}

/// The clocks of a cluster that a limit leaves; what it does not limit stays 0.
struct LimitedClocks {
  std::int64_t min_khz = 0, max_khz = 0;
};
LimitedClocks limited_clocks(const ServiceConfig::Limit& limit,
                             const std::vector<OperatingPoint>& opps) {
  const std::int64_t lowest = opps.front().freq_khz, highest = opps.back().freq_khz;
  const std::int64_t min_khz = limit.min_khz > 0 ? limit.min_khz : lowest;
  const std::int64_t max_khz = limit.max_khz > 0 ? limit.max_khz : highest;
  LimitedClocks clocks;
  for (const OperatingPoint& opp : opps) {
    if (opp.freq_khz < min_khz || opp.freq_khz > max_khz) continue;
    if (limit.min_khz > 0 && clocks.min_khz == 0) clocks.min_khz = opp.freq_khz;
    if (limit.max_khz > 0) clocks.max_khz = opp.freq_khz;
  }
  const bool none =
      (limit.min_khz > 0 && clocks.min_khz == 0) || (limit.max_khz > 0 && clocks.max_khz == 0);
  if (none || min_khz < lowest || max_khz > highest) {
    input_error(
        limit.where,
        fmt::format("{} kHz to {} kHz is not within the clocks of {}, or between two of them",
                    min_khz, max_khz, limit.policy),
        fmt::format("give limits within {} and {} kHz", lowest, highest));
  }
  return clocks;
}

ServiceConfig read_opened(const std::string& path) {
  const YamlMap root = YamlMap::file(path, 1,
                                     {"policy", "applications", "actuator", "force", "dry_run", "seed", "state_dir",
                                      "epoch_ms", "preference", "limits", "metrics"});
  constexpr double kMs = 1e6;
  const auto text = [&](std::string_view key) {
    return if_there<std::string>(root, key, [&] { return root.text(key); });
  };
  const auto flag = [](const YamlMap& map, std::string_view key) {
    return if_there<bool>(map, key, [&] { return map.boolean_or(key, false); });
  };
  const auto number = [](const YamlMap& map, std::string_view key, double min, double max) {
    return if_there<double>(map, key, [&] { return map.number(key, min, max); });
  };
  ServiceConfig config;
  config.policy = text("policy");
  config.applications = text("applications");
  config.actuator = text("actuator");
  config.force = flag(root, "force");
  config.dry_run = flag(root, "dry_run");
  config.seed =
      if_there<std::int64_t>(root, "seed", [&] { return root.integer("seed", 0, INT64_MAX); });
  config.state_dir = path_in(root, "state_dir");
  config.epoch_ms = number(root, "epoch_ms", TuningControl::kShortestEpochNs / kMs,
                           TuningControl::kLongestEpochNs / kMs);
  config.preference = number(root, "preference", 0, 1);
  for (const auto& [name, map] : root.named_maps("limits", {"min_khz", "max_khz"})) {
    if (!map.has("min_khz") && !map.has("max_khz"))
      map.reject("", "limits nothing", "give it min_khz, max_khz or both");
    config.limits.push_back({name, map.where(), map.integer_or("min_khz", 0, 1, kMaxLimitKhz),
                             map.integer_or("max_khz", 0, 1, kMaxLimitKhz)});
  }
  if (root.has("metrics")) {
    const YamlMap metrics = root.map("metrics", {"file", "every_s", "socket"});
    config.metrics_file = path_in(metrics, "file");
    config.metrics_every_s = number(metrics, "every_s", 1, 3600);
    if (config.metrics_every_s && !config.metrics_file)
      metrics.reject("every_s", "has no effect without 'file'", "add that, or leave this out");
    config.metrics_socket = flag(metrics, "socket");
  }
  return config;
}

}  // namespace

ServiceConfig read_service_config(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return read_opened(path);  // which says why not
  check_trusted(path, file.get());
  // What is read is what was looked at, whatever stands under that name by now.
  const std::string opened = fmt::format("/proc/self/fd/{}", file.get());
  try {
    ServiceConfig config = read_opened(opened);
    for (ServiceConfig::Limit& limit : config.limits)
      limit.where = said_of(path, opened, limit.where);
    return config;
  } catch (const Error& error) {
    throw Error(error.kind(), said_of(path, opened, error.what()));
  }
}

LinuxTuning tuning_of(const ServiceConfig& config, const LinuxMachine& machine,
                      const MachineSpec& made) {
  LinuxTuning tuning;
  if (config.epoch_ms) tuning.epoch_ns = std::llround(*config.epoch_ms * 1e6);
  if (config.preference) tuning.preference = config.preference;
  std::vector<std::string> known;
  std::vector<std::size_t> cluster_of;
  for (std::size_t c = 0; c < made.members.size(); ++c) {
    if (made.device[c] >= 0) {
      known.push_back(machine.devfreq[static_cast<std::size_t>(made.device[c])].name);
      cluster_of.push_back(c);
    }
    for (const int member : made.members[c]) {
      known.push_back(machine.policies[static_cast<std::size_t>(member)].name);
      cluster_of.push_back(c);
    }
  }
  for (const ServiceConfig::Limit& limit : config.limits) {
    const auto found = std::find(known.begin(), known.end(), limit.policy);
    if (found == known.end()) {
      input_error(limit.where,
                  fmt::format("there is no policy '{}' here{}", limit.policy,
                              did_you_mean(limit.policy, known)),
                  fmt::format("use one of {}", fmt::join(known, ", ")));
    }
    const std::size_t c = cluster_of[static_cast<std::size_t>(found - known.begin())];
    const LimitedClocks clocks = limited_clocks(limit, made.spec.clusters[c].opps);
    // Several policies may be one cluster: the narrowest of their limits.
    tuning.min_khz[c] = std::max(tuning.min_khz[c], clocks.min_khz);
    if (clocks.max_khz > 0 && (tuning.max_khz[c] == 0 || clocks.max_khz < tuning.max_khz[c]))
      tuning.max_khz[c] = clocks.max_khz;
    if (tuning.max_khz[c] > 0 && tuning.min_khz[c] > tuning.max_khz[c]) {
      input_error(limit.where,
                  "its policy shares a cluster with another one's limits, which leave "
                  "no clock",
                  "give both the same limits");
    }
  }
  return tuning;
}

}  // namespace flyball
