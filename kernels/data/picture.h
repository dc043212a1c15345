#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/data/random.h"

namespace flyball {

/// Rendering of small pictures from discs and trapezoids. IEEE + - * / and sqrt in a fixed order
/// only, no libm, so the same bits on every machine (fused multiply-adds are off in this project).

using Colour = std::array<float, 3>;  ///< red, green, blue in [0, 1]

/// A plane's affine map: (x, y) -> (a x + b y + c, d x + e y + f).
struct Affine {
  float a = 1, b = 0, c = 0;
  float d = 0, e = 1, f = 0;

  Affine then(const Affine& outer) const;  ///< outer(this(p))
  Affine inverse() const;                  ///< not singular
  static Affine move(float x, float y) { return {1, 0, x, 0, 1, y}; }
  static Affine stretch(float x, float y) { return {x, 0, 0, 0, y, 0}; }
  /// `cosine` and `sine` of one angle.
  static Affine turn(float cosine, float sine) { return {cosine, -sine, 0, sine, cosine, 0}; }
  /// By 2 atan(half_tangent), for which no libm is needed.
  static Affine turn_by(float half_tangent);
};

/// A filled shape: a unit disc (or ring), or a trapezoid of height and width 2, moved into place.
/// y points down, as rows do.
struct Part {
  enum class Kind : std::uint8_t { kDisc, kTrapezoid };
  Kind kind = Kind::kDisc;
  float inner = 0;   ///< kDisc: radius of the hole
  float cut = 2;     ///< kDisc: nothing below this y
  float top = 1;     ///< kTrapezoid: half its width at y = -1; 0 makes a triangle
  float bottom = 1;  ///< likewise at y = 1
  Affine place;      ///< from the unit shape to the picture, in pixels
  Colour colour{};
};

Part disc(float x, float y, float rx, float ry, Colour colour);
Part ring(float x, float y, float r, float inner, Colour colour);
Part box(float x, float y, float half_width, float half_height, Colour colour);
Part trapezoid(float x, float y, float half_width, float half_height, float top, float bottom,
               Colour colour);

/// Paints `part` over the picture, edges smoothed by 4 samples per pixel.
void paint(const Part& part, int size, std::span<Colour> picture);

/// Smooth random blotches from `first` to `second`: value noise of two octaves.
void paint_background(const Colour& first, const Colour& second, DataRandom& random, int size,
                      std::span<Colour> picture);

}  // namespace flyball
