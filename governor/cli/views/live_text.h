#pragma once

#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "governor/cli/views/live_sink.h"
#include "governor/cli/terminal.h"

namespace flyball::cli {

/// What is being shown, for as long as one policy runs.
struct LiveTitle {
  std::string policy;
  double duration_s = 0;
  double after_s = 0;  ///< what is still to come when this one is done
  int number = 1, of = 1;
};

/// The display as lines no wider than the terminal.
std::vector<std::string> live_block(const PlatformSpec& platform, const Scenario& scenario,
                                    const LiveTitle& title, const LiveState& state,
                                    const Terminal& terminal);
/// The same in one line, for a file or a pipe.
std::string live_line(const PlatformSpec& platform, const Scenario& scenario,
                      const LiveTitle& title, const LiveState& state);

}  // namespace flyball::cli
