#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flyball {

/// Pixels as a file has them, [row][column][channel]; 1 channel (grey) or 3 (red, green, blue).
struct Picture {
  int width = 0, height = 0, channels = 3;
  std::vector<std::uint8_t> pixels;
};

inline constexpr std::size_t kMaxImageFileBytes = 64u << 20;
/// More pixels no picture may have, whatever its header says: a few bytes of PNG can claim terabytes.
inline constexpr std::int64_t kMaxImagePixels = 64 << 20;

/// Whether this build reads PNG (it was made with libpng); PPM and PGM it always does.
bool reads_png();

/// PPM or PGM (binary: P6, P5, 8 or 16 bits) or PNG of any kind, told apart by their first bytes.
/// Transparent parts are black. Throws Error (kInput) that names `path`.
Picture decode_picture(const std::string& path, std::string_view bytes);

/// Brought to `size` x `size` pixels of `channels` (1 or 3), the whole picture whatever its shape, by
/// the mean over the area that a pixel covers, in integers: the same bytes on every machine.
void resize_picture(const Picture& image, int size, int channels, std::span<std::uint8_t> out);

}  // namespace flyball
