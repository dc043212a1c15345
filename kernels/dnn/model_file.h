#pragma once

#include <optional>
#include <string>

#include "kernels/dnn/model.h"

namespace flyball {

/// A model in a file. Little-endian, all of it under one CRC-32C (Castagnoli), which is the last
/// field:
///   magic "FLYBNET\n", u32 version, shape (u32 each: kind, image size, channels, classes, widths,
///   layers; per layer: channels, window, stride, pad, pooling kind, its window, stride, pad), then
///   lists, each with its u32 number of elements: f32 top-1 percent per width in fp32, the same in
///   int8, bytes of the accuracy's source, bytes of the provenance, f32 activation ranges, f32
///   parameters; u32 CRC-32C.
inline constexpr std::uint32_t kModelFileVersion = 2;

struct LoadedModel {
  std::optional<Model> model;
  std::string error;           ///< "path: why; what to do" when there is no model
  std::uint32_t checksum = 0;  ///< of the file: two models with the same one are the same
};

/// Whether the file begins as a network's does, of whatever version.
bool is_model_file(const std::string& path);

/// Refuses a file of another version, a damaged or truncated one, one with something behind the
/// end, and a model that has a problem().
LoadedModel load_model(const std::string& path);

/// Writes beside `path`, syncs, then renames over it, so that a reader sees the old file or the
/// whole new one. Returns an empty string, or "path: why; what to do". Refuses what load_model
/// would.
std::string save_model(const Model& model, const std::string& path);

}  // namespace flyball
