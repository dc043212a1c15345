#include "kernels/data/picture.h"

#include <algorithm>

namespace flyball {

Affine Affine::then(const Affine& o) const {
  return {o.a * a + o.b * d, o.a * b + o.b * e, o.a * c + o.b * f + o.c,
          o.d * a + o.e * d, o.d * b + o.e * e, o.d * c + o.e * f + o.f};
}

Affine Affine::inverse() const {
  const float det = a * e - b * d;
  return {e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det};
}

Affine Affine::turn_by(float t) {
  const float norm = 1 + t * t;
  return turn((1 - t * t) / norm, 2 * t / norm);
}

Part disc(float x, float y, float rx, float ry, Colour colour) {
  Part part;
  part.place = Affine::stretch(rx, ry).then(Affine::move(x, y));
  part.colour = colour;
  return part;
}

Part ring(float x, float y, float r, float inner, Colour colour) {
  Part part = disc(x, y, r, r, colour);
  part.inner = inner;
  return part;
}

Part trapezoid(float x, float y, float half_width, float half_height, float top, float bottom,
               Colour colour) {
  Part part;
  part.kind = Part::Kind::kTrapezoid;
  part.top = top;
  part.bottom = bottom;
  part.place = Affine::stretch(half_width, half_height).then(Affine::move(x, y));
  part.colour = colour;
  return part;
}

Part box(float x, float y, float half_width, float half_height, Colour colour) {
  return trapezoid(x, y, half_width, half_height, 1, 1, colour);
}

void paint(const Part& part, int size, std::span<Colour> picture) {
  // The unit shape lies in [-1, 1]^2 (trapezoids may be wider), whose image is bounded by the sums
  // of the columns' magnitudes.
  const Affine& p = part.place;
  const auto magnitude = [](float v) { return v < 0 ? -v : v; };
  const float wide = std::max({1.0f, part.top, part.bottom});
  const float reach_x = wide * magnitude(p.a) + magnitude(p.b);
  const float reach_y = wide * magnitude(p.d) + magnitude(p.e);
  const auto clamp = [size](float v) {
    return static_cast<int>(std::clamp(v, 0.0f, static_cast<float>(size)));
  };
  const int x0 = clamp(p.c - reach_x), x1 = clamp(p.c + reach_x + 1);
  const int y0 = clamp(p.f - reach_y), y1 = clamp(p.f + reach_y + 1);
  const Affine back = p.inverse();
  const float inner = part.inner * part.inner;

  const auto inside = [&](float x, float y) {
    const float u = back.a * x + back.b * y + back.c;
    const float v = back.d * x + back.e * y + back.f;
    if (part.kind == Part::Kind::kDisc) {
      const float r = u * u + v * v;
      return r <= 1 && r >= inner && v <= part.cut;
    }
    if (v < -1 || v > 1) return false;
    const float half = part.top + (part.bottom - part.top) * (v + 1) * 0.5f;
    return u >= -half && u <= half;
  };
  for (int y = y0; y < y1; ++y)
    for (int x = x0; x < x1; ++x) {
      int hits = 0;
      for (int sample = 0; sample < 4; ++sample)
        hits += inside(x + (sample & 1 ? 0.75f : 0.25f), y + (sample & 2 ? 0.75f : 0.25f));
      const float cover = static_cast<float>(hits) * 0.25f;
      Colour& pixel = picture[y * size + x];
      for (int c = 0; c < 3; ++c) pixel[c] += (part.colour[c] - pixel[c]) * cover;
    }
}

void paint_background(const Colour& first, const Colour& second, DataRandom& random, int size,
                      std::span<Colour> picture) {
  constexpr int kCoarse = 4, kFine = 9;  // cells across
  float coarse[(kCoarse + 1) * (kCoarse + 1)], fine[(kFine + 1) * (kFine + 1)];
  for (float& v : coarse) v = random.uniform();
  for (float& v : fine) v = random.uniform();
  const auto noise = [size](const float* lattice, int cells, int y, int x) {
    const float step = static_cast<float>(cells) / static_cast<float>(size);
    const float fy = y * step, fx = x * step;
    const int iy = static_cast<int>(fy), ix = static_cast<int>(fx);
    const float ty = fy - iy, tx = fx - ix;
    const float* const at = lattice + iy * (cells + 1) + ix;
    const float upper = at[0] + (at[1] - at[0]) * tx;
    const float lower = at[cells + 1] + (at[cells + 2] - at[cells + 1]) * tx;
    return upper + (lower - upper) * ty;
  };
  for (int y = 0; y < size; ++y)
    for (int x = 0; x < size; ++x) {
      const float t = 0.65f * noise(coarse, kCoarse, y, x) + 0.35f * noise(fine, kFine, y, x);
      for (int c = 0; c < 3; ++c) picture[y * size + x][c] = first[c] + (second[c] - first[c]) * t;
    }
}

}  // namespace flyball
