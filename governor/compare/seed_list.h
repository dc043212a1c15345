#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace flyball {

/// The seed of number `s`, counted from 0: of those named, ascending; where none is, of such as follow the
/// first.
inline std::uint64_t nth_seed(std::uint64_t first, const std::vector<std::uint64_t>& named,
                              std::size_t s) {
  return named.empty() ? first + s : named[s];
}

}  // namespace flyball
