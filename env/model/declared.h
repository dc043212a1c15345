#pragma once

#include "env/model/belief.h"
#include "env/model/platform_spec.h"

namespace flyball {

/// A platform as it tells of itself: how accurate a level is, nothing on it measures, so agents,
/// shield and reward hear what is declared, which is what is believed. What a scenario asks for in
/// shares of it is a share of that.
PlatformSpec as_declared(PlatformSpec truth, const Belief& belief);

}  // namespace flyball
