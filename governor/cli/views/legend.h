#pragma once

#include <string>
#include <vector>

#include "env/model/platform_spec.h"

namespace flyball::cli {

/// What the words of the display mean, with this platform's mapping names, in lines of at most
/// `columns`.
std::vector<std::string> legend(const PlatformSpec& platform, int columns);

}  // namespace flyball::cli
