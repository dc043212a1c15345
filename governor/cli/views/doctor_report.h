#pragma once

#include <string>

#include "env/linux/discover/linux_machine.h"
#include "governor/cli/json.h"

namespace flyball::cli {

/// What a Linux machine offers a governor, lacks and has in its way: for people, and to be pasted in
/// a bug report. `counters` describes its performance counters; empty: not asked.
std::string doctor_text(const LinuxMachine& machine, const std::string& counters, int columns);
Json doctor_json(const LinuxMachine& machine, const std::string& counters);

}  // namespace flyball::cli
