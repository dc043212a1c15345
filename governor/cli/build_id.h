#pragma once

namespace flyball::cli {

/// What git calls the sources that this program was built from; "unknown" where it does not say.
extern const char* const kBuildId;

}  // namespace flyball::cli
