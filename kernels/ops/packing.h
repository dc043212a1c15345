#pragma once

#include <cstdint>

namespace flyball {

/// As pack_weights_int8, for 16-bit values.
void pack_pairs(const std::int16_t* plain, int window, int inputs, int outputs,
                std::int16_t* packed);

}  // namespace flyball
