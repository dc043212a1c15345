#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace flyball::testing {

inline std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

/// 3 x 2 pixels: red, green, blue; black, grey (128), white.
inline const std::string kPpm =
    std::string("P6\n# by hand\n3 2\n255\n") + from_hex(
                                                   "ff000000ff000000ff"
                                                   "000000808080ffffff");
inline const std::string kPng = from_hex(
    "89504e470d0a1a0a0000000d49484452000000030000000208020000001216f14d000000164944415478da63f8cfc0"
    "c000c30c0d0d0dffffff07003a61077b029fdff40000000049454e44ae426082");
/// Says that it has 200,000 x 200,000 pixels.
inline const std::string kHugePng = from_hex(
    "89504e470d0a1a0a0000000d4948445200030d4000030d40080200000076591f5d0000000c4944415478da6360a03d"
    "000000640001b899ef990000000049454e44ae426082");

inline void write_bytes(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace flyball::testing
