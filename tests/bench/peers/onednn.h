#pragma once

#include <vector>

#include "tests/bench/peers/flat_network.h"

namespace flyball::bench {

std::vector<Variant> onednn_variants();

}  // namespace flyball::bench
