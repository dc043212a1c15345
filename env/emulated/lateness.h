#pragma once

#include <cstdint>
#include <string>

namespace flyball {

constexpr std::int64_t kLateReleaseNs = 5'000'000;  ///< a release that is this late is worth a note

/// Why jobs were released late: a suspend of the machine, or else too much to do.
std::string lateness_note(std::int64_t lateness_ns, std::int64_t suspended_ns);

}  // namespace flyball
