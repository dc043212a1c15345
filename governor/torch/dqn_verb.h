#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <span>
#include <string>

#include "agents/policy_file.h"
#include "governor/torch/dqn_training.h"

namespace flyball {

/// `flyball-torch dqn`; what it returns is called when the words name it. That throws Error.
std::function<void()> add_dqn(CLI::App& app, CLI::App*& parser);

/// What was trained, of one of its platforms, as `flyball` reads it.
PolicyFile dqn_policy(const PlatformSpec& platform, const DqnBody& body,
                      std::span<const double> mean, std::span<const double> spread);

}  // namespace flyball
