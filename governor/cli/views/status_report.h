#pragma once

#include <string>

#include "governor/cli/json.h"
#include "governor/status/status_page.h"

namespace flyball::cli {

/// A governor as its status page shows it.
struct StatusShown {
  StatusFacts facts;
  StatusNow now;
  std::int64_t now_ns = 0;  ///< CLOCK_MONOTONIC, when it was read

  /// Its loop has not come round for so long: it naps half a second at most.
  static constexpr std::int64_t kStalledNs = 4'000'000'000;
  bool stalled() const { return now_ns - now.at_ns > kStalledNs; }
};

std::string status_text(const StatusShown& shown, int columns);
Json status_json(const StatusShown& shown);

/// "2 h 13 min", "45 s".
std::string duration_text(std::int64_t ns);
/// What a figure is of whose time so much was measured: "measured", "modelled", or how much of it.
std::string power_kind(double measured_share);
/// Of the power that is shown: what was measured, by what, and what was modelled.
std::string power_source_text(const StatusFacts& facts, const StatusNow& now);
/// "WFI 25 %, cpu-sleep 62 %": of the time of all CPUs of a cluster; empty where nothing is known.
std::string idle_text(const StatusShown& shown, std::size_t cluster);
/// What the governor does: "governs", "dry run: it writes nothing".
std::string mode_text(const StatusFacts& facts);

}  // namespace flyball::cli
