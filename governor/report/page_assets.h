#pragma once

#include <string_view>

namespace flyball::report {

// Files of page/ and vendor/, built in by embed.cmake.
extern const std::string_view kPageScript, kPageStyle;
extern const std::string_view kLibraryScript, kLibraryStyle, kLibraryLicence;

}  // namespace flyball::report
