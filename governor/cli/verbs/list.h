#pragma once

#include <string>
#include <vector>

namespace flyball::cli {

/// What 'list' takes.
const std::vector<std::string>& list_kinds();

}  // namespace flyball::cli
