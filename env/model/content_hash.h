#pragma once

#include "env/model/platform_spec.h"

namespace flyball {

/// Of everything that a platform file says and a policy depends on, its applications and descriptions
/// left out. Two files that differ in a comment have the same.
std::uint64_t content_hash(const PlatformSpec& platform);
/// Of everything that it says of an application: costs and levels, accuracies of a model file left
/// out.
std::uint64_t content_hash(const PlatformSpec& platform, const AppProfile& app);

}  // namespace flyball
