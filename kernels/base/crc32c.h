#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flyball {

/// The Castagnoli CRC of iSCSI (RFC 3720), which ends every file of Flyball's.
std::uint32_t crc32c(const void* data, std::size_t bytes);
inline std::uint32_t crc32c(std::string_view bytes) { return crc32c(bytes.data(), bytes.size()); }

}  // namespace flyball
