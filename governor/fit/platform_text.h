#pragma once

#include <string>

#include "governor/fit/fit.h"

namespace flyball {

struct PlatformTextOptions {
  std::string name;         ///< of the platform
  std::string app;          ///< of the job that was measured; empty: coremark, or dynamic_cnn
  std::string description;  ///< of what it is; empty: how many clusters it has
  std::string source;       ///< who measured it, and the licence; empty when nobody said
};

/// How such a file begins.
inline constexpr std::string_view kPlatformTextStart = "# Made by 'flyball fit'";

/// The platform file, each number with where it comes from. Throws Error (kInput) where a platform
/// cannot have what was measured: too many operating points, a widest width that is not all, no
/// CPU.
std::string platform_text(const FittedPlatform& platform, const PlatformTextOptions& options);

}  // namespace flyball
