#pragma once

#include <string>

#include "governor/cli/json.h"

namespace flyball::cli {

/// What a governor's app.sock answers: its "applications". Throws Error (kFailure) for what is none.
Json applications_json(const std::string& answer);
/// The same for people; empty where nobody has joined.
std::string applications_text(const Json& applications, int columns);

}  // namespace flyball::cli
