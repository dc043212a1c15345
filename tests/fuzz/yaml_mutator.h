#pragma once

#include <cstddef>
#include <cstdint>

namespace flyball::fuzz {

/// One mutation of a YAML file: mostly of its structure (a value, a key, a branch of it), so that
/// what is behind the parser is reached; one in eight of its bytes.
std::size_t mutate_yaml(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed);

}  // namespace flyball::fuzz
