#pragma once

#include <optional>
#include <string>

#include "kernels/dnn/network.h"

namespace flyball {

/// A network in a file. Little-endian, all of it under one CRC-32C (Castagnoli), which is the last
/// field:
///   magic "FLYBNET\n", u32 version, shape (u32 each: image size, channels, classes, groups,
///   layers; per layer: channels, window, stride, pad, pooling kind, its window, stride, pad), u32
///   number of measured widths (0 or all), f32 top-1 percent of each, u32 length and bytes of the
///   accuracy's source, u64 number of parameters, f32 each, u32 CRC-32C.
inline constexpr std::uint32_t kModelFileVersion = 1;

struct LoadedNetwork {
  std::optional<Network> network;
  std::string error;  ///< "path: why; what to do" when there is no network
};

/// Refuses a file of another version or shape than `expected`, a damaged or truncated one, one with
/// something behind the end, and one whose weights or accuracies are not finite.
LoadedNetwork load_network(const std::string& path, const NetworkSpec& expected);

/// Writes beside `path`, syncs, then renames over it, so that a reader sees the old file or the
/// whole new one. Returns an empty string, or "path: why; what to do".
std::string save_network(const Network& network, const std::string& path);

}  // namespace flyball
