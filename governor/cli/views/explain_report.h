#pragma once

#include <string>
#include <vector>

#include "governor/cli/json.h"
#include "governor/status/status_page.h"

namespace flyball::cli {

/// What a governor decided last: seen, predicted for what was chosen and for the next best, what came
/// out, what the shield did, and why.
std::string explain_text(const StatusFacts& facts, const std::vector<PlainDecision>& decisions,
                         std::int64_t now_ns, int columns);
Json explain_json(const StatusFacts& facts, const std::vector<PlainDecision>& decisions,
                  std::int64_t now_ns);
/// One line on a decision: "policy4 800 -> 2000 MHz: busiest core 97 % busy".
std::string why_text(const StatusFacts& facts, const PlainDecision& decision);

}  // namespace flyball::cli
