#pragma once

#include <memory>
#include <span>

#include "tests/bench/peers/flat_network.h"

namespace flyball::bench {

/// Our own inference on one thread, with the operators that this machine gets by default.
std::unique_ptr<Contender> make_flyball(const NetworkSpec& spec, std::span<const float> parameters,
                                        int width);

}  // namespace flyball::bench
