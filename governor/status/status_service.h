#pragma once

#include <optional>
#include <string>

#include "governor/status/control_server.h"
#include "governor/status/metrics_server.h"
#include "governor/status/status_memory.h"
#include "governor/status/status_sink.h"
#include "governor/status/tuning_control.h"

namespace flyball {

struct StatusServiceOptions {
  std::string state_dir;
  std::string policy;
  GovernorMode mode = GovernorMode::kGoverns;
  std::int64_t epoch_ns = 0;
  bool explores = false;
  bool holds_lock = false;  ///< the governor's: then the socket is ours, whoever left one there
  MetricsOptions metrics;
};

/// A governed Linux machine as others see it: its status page, and the socket by which they get that
/// and set what can be set.
class StatusService {
 public:
  /// The platform outlives it. Throws Error (kFailure) when it cannot be served.
  StatusService(LinuxPlatform& platform, const StatusServiceOptions& options);
  void listen_to(ControlLoop& loop) {
    loop.add_sink(control_);
    loop.add_sink(sink_);
  }
  /// See StatusSink::note().
  void note(std::string_view sentence) noexcept { sink_.note(sentence); }

 private:
  StateDir dir_;
  StatusMemory memory_;
  StatusSink sink_;
  TuningControl control_;
  std::optional<ControlServer> server_;  // calls the others
  std::optional<MetricsServer> metrics_;
};

}  // namespace flyball
