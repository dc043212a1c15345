#pragma once

#include <array>
#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "env/spaces/monitors.h"
#include "governor/cli/terminal.h"
#include "governor/cli/views/live_sink.h"

namespace flyball::cli {

/// What is being shown, for as long as one policy runs.
struct LiveTitle {
  std::string policy;
  double duration_s = 0;
  double after_s = 0;  ///< what is still to come when this one is done
  int number = 1, of = 1;
};

/// What stands below the lines that are always there.
enum class LivePage { kHistory, kLegend, kMonitors };

/// What the display knows beside the state.
struct Look {
  std::array<bool, kMaxClusters> throttled{};  ///< in any epoch since the look before
  double suspended_s = 0;                      ///< of the machine, since the run began
  bool keys = false;                           ///< they are read
  LivePage page = LivePage::kHistory;
};

/// Those of the platform and of every application of the scenario.
MonitorTable live_monitors(const PlatformSpec& platform, const Scenario& scenario);

/// The display as lines no wider than the terminal.
std::vector<std::string> live_block(const PlatformSpec& platform, const Scenario& scenario,
                                    const MonitorTable& monitors, const LiveTitle& title,
                                    const LiveState& state, const Look& look,
                                    const Terminal& terminal);
/// A policy that is done, in one line that stays.
std::string done_line(const LiveTitle& title, const LiveState& state);
/// The same in one line, for a file or a pipe.
std::string live_line(const PlatformSpec& platform, const Scenario& scenario,
                      const LiveTitle& title, const LiveState& state, const Look& look);

}  // namespace flyball::cli
