#pragma once

#include <cstddef>
#include <cstdint>

// Behind a checksum that no longer fits, nothing else of a reader is reached: most mutations mend it.

namespace flyball::fuzz {

/// Puts the CRC-32C of data[from, to) behind it, where there is room for it before `size`.
void mend(std::uint8_t* data, std::size_t size, std::size_t from, std::size_t to);

/// A mutation by libFuzzer of a file whose last four bytes are the checksum of all others. One in
/// eight leaves it as it falls.
std::size_t mutate_sealed(std::uint8_t* data, std::size_t size, std::size_t max_size,
                          unsigned seed);

std::uint32_t little_u32(const std::uint8_t* data);

}  // namespace flyball::fuzz

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);
