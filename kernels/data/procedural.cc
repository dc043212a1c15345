#include "kernels/data/procedural.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/data/picture.h"

namespace flyball {
namespace {

// Random numbers are drawn one per statement: the order in which a call's arguments are worked out
// is not the same everywhere, and these pictures must be.

// What makes an image hard, from the easiest to the hardest of them; found by training the default
// network (configs/models/README.md). Easy ones among them let a network begin to learn at all.
struct Range {
  float easy, hard;
  float at(float difficulty) const { return easy + (hard - easy) * difficulty; }
};
constexpr float kMaxScale = 14;       // half the thing's size, pixels
constexpr Range kMinScale{12, 5.5f};  // likewise
constexpr Range kTilt{0.05f, 1};      // tangent of half the largest angle: 6 to 90 degrees
constexpr Range kShear{0, 0.35f};     // most, either way
constexpr Range kOutline{0, 0.5f};    // probability of being drawn hollow
constexpr Range kClutter{1, 9};       // most pieces of it
constexpr Range kOccluded{0, 0.9f};   // probability
constexpr Range kContrast{1, 0.2f};   // least sum of the differences of red, green and blue
constexpr Range kNoise{0.02f, 0.25f};
constexpr Range kHaze{0, 0.55f};

float distance(const Colour& a, const Colour& b) {
  float sum = 0;
  for (int c = 0; c < 3; ++c) sum += a[c] > b[c] ? a[c] - b[c] : b[c] - a[c];
  return sum;
}

Colour any_colour(DataRandom& random) {
  Colour colour;
  for (float& c : colour) c = random.uniform(0.05f, 0.95f);
  return colour;
}

/// Unlike `other`, or the last of some tries.
Colour colour_unlike(const Colour& other, float contrast, DataRandom& random) {
  Colour colour = any_colour(random);
  for (int tries = 0; tries < 16 && distance(colour, other) < contrast; ++tries)
    colour = any_colour(random);
  return colour;
}

/// The parts of a thing in [-1, 1]^2, y down, back to front. `main` and `other` are its colours.
using Parts = std::vector<Part>;

void house(Parts& parts, const Colour& main, const Colour& other, DataRandom& random) {
  const float width = random.uniform(0.55f, 0.8f), wall = random.uniform(-0.15f, 0.15f);
  const float eaves = random.uniform(1.0f, 1.3f);
  parts.push_back(box(0, (wall + 0.9f) / 2, width, (0.9f - wall) / 2, main));
  parts.push_back(trapezoid(0, (wall - 0.9f) / 2, width * eaves, (wall + 0.9f) / 2, 0, 1, other));
  const float door = random.uniform(-0.5f, 0.5f) * width;
  parts.push_back(box(door, 0.65f, 0.14f, 0.25f, other));
  if (random.chance(0.5f)) parts.push_back(box(-door, wall + 0.35f, 0.13f, 0.13f, other));
}

void tree(Parts& parts, const Colour& main, const Colour& other, DataRandom& random) {
  const float trunk = random.uniform(0.09f, 0.18f);
  parts.push_back(box(0, 0.55f, trunk, 0.4f, other));
  if (random.chance(0.5f)) {  // conifer: two or three tiers
    const int tiers = 2 + static_cast<int>(random.below(2));
    const float width = random.uniform(0.5f, 0.75f);
    for (int t = 0; t < tiers; ++t)
      parts.push_back(trapezoid(0, 0.1f - 0.4f * t, width * (1 - 0.2f * t), 0.38f, 0, 1, main));
  } else {
    const float rx = random.uniform(0.45f, 0.7f), ry = random.uniform(0.45f, 0.6f);
    parts.push_back(disc(0, -0.3f, rx, ry, main));
    if (random.chance(0.5f)) {
      parts.push_back(disc(-0.35f, -0.1f, 0.4f, 0.35f, main));
      parts.push_back(disc(0.35f, -0.1f, 0.4f, 0.35f, main));
    }
  }
}

/// Its apex points left.
Part triangle_left(float x, float y, float half_width, float half_height, const Colour& colour) {
  Part part = trapezoid(0, 0, half_height, half_width, 0, 1, colour);
  part.place = part.place.then(Affine::turn(0, -1)).then(Affine::move(x, y));
  return part;
}

void fish(Parts& parts, const Colour& main, const Colour& other, DataRandom& random) {
  const float height = random.uniform(0.32f, 0.55f), length = random.uniform(0.55f, 0.7f);
  parts.push_back(triangle_left(0.6f, 0, 0.35f, random.uniform(0.35f, 0.6f), main));
  parts.push_back(trapezoid(-0.1f, -height, 0.25f, 0.2f, 0.3f, 1, other));
  parts.push_back(disc(-0.2f, 0, length, height, main));
  parts.push_back(disc(-0.2f - 0.55f * length, -0.25f * height, 0.11f, 0.11f, other));
  if (random.chance(0.5f)) parts.push_back(box(-0.1f, 0, 0.07f, 0.8f * height, other));
}

void boat(Parts& parts, const Colour& main, const Colour& other, DataRandom& random) {
  const float stern = random.uniform(0.5f, 0.8f), mast = random.uniform(-0.2f, 0.2f);
  parts.push_back(trapezoid(0, 0.6f, 0.9f, random.uniform(0.2f, 0.3f), 1, stern, main));
  parts.push_back(box(mast, -0.25f, 0.06f, 0.7f, main));
  parts.push_back(trapezoid(mast - 0.28f, -0.3f, 0.3f, 0.55f, 0.1f, 1, other));
  if (random.chance(0.6f))
    parts.push_back(trapezoid(mast + 0.3f, -0.2f, 0.27f, 0.45f, 0, 1, other));
}

void car(Parts& parts, const Colour& main, const Colour& other, DataRandom& random) {
  const float back = random.uniform(-0.25f, 0.25f), roof = random.uniform(0.5f, 0.85f);
  parts.push_back(trapezoid(back, -0.25f, 0.55f, 0.27f, roof, 1, main));
  parts.push_back(trapezoid(back, -0.22f, 0.38f, 0.17f, roof, 1, other));
  parts.push_back(box(0, 0.2f, 0.95f, random.uniform(0.22f, 0.3f), main));
  const float wheel = random.uniform(0.2f, 0.28f), axle = random.uniform(0.45f, 0.6f);
  parts.push_back(disc(-axle, 0.5f, wheel, wheel, other));
  parts.push_back(disc(axle, 0.5f, wheel, wheel, other));
}

// The corners of a regular pentagon and hexagon, from the top: sine, -cosine.
constexpr float kFive[5][2] = {{0, -1},
                               {0.95105652f, -0.30901699f},
                               {0.58778525f, 0.80901699f},
                               {-0.58778525f, 0.80901699f},
                               {-0.95105652f, -0.30901699f}};
constexpr float kSix[6][2] = {{0, -1}, {0.8660254f, -0.5f}, {0.8660254f, 0.5f},
                              {0, 1},  {-0.8660254f, 0.5f}, {-0.8660254f, -0.5f}};

void flower(Parts& parts, const Colour& main, const Colour& other, DataRandom& random) {
  const bool six = random.chance(0.5f);
  const float petal = random.uniform(0.27f, 0.38f), out = random.uniform(0.42f, 0.55f);
  if (random.chance(0.6f)) parts.push_back(box(0, 0.6f, 0.06f, 0.4f, other));
  for (int i = 0; i < (six ? 6 : 5); ++i) {
    const float* const at = six ? kSix[i] : kFive[i];
    parts.push_back(disc(out * at[0], out * at[1] - 0.2f, petal, petal, main));
  }
  const float centre = random.uniform(0.2f, 0.32f);
  parts.push_back(disc(0, -0.2f, centre, centre, other));
}

void mug(Parts& parts, const Colour& main, const Colour& other, DataRandom& random) {
  const float width = random.uniform(0.42f, 0.6f), height = random.uniform(0.55f, 0.8f);
  parts.push_back(ring(width - 0.05f, 0, random.uniform(0.35f, 0.48f), 0.6f, main));
  parts.push_back(trapezoid(-0.15f, 0, width, height, 1, random.uniform(0.7f, 1.0f), main));
  parts.push_back(disc(-0.15f, -height, width, 0.15f, other));
  if (random.chance(0.5f)) parts.push_back(box(-0.15f, 0.1f, 0.8f * width, 0.12f, other));
}

void key(Parts& parts, const Colour& main, const Colour& other, DataRandom& random) {
  const float bow = random.uniform(0.3f, 0.42f), shaft = random.uniform(0.08f, 0.13f);
  parts.push_back(box(0.3f, 0, 0.65f, shaft, main));
  parts.push_back(ring(-0.55f, 0, bow, random.uniform(0.4f, 0.6f), main));
  const int teeth = 2 + static_cast<int>(random.below(2));
  for (int t = 0; t < teeth; ++t)
    parts.push_back(box(0.88f - 0.24f * t, 0.2f, 0.07f, random.uniform(0.12f, 0.25f), main));
  if (random.chance(0.3f)) parts.push_back(box(-0.15f, 0, 0.08f, 0.2f, other));
}

void star(Parts& parts, const Colour& main, const Colour& other, DataRandom& random) {
  const float waist = random.uniform(0.25f, 0.38f), reach = random.uniform(0.85f, 1.0f);
  for (const auto& at : kFive) {  // five spikes around a disc
    Part spike = trapezoid(0, -reach / 2, waist * 0.95f, reach / 2, 0, 1, main);
    spike.place = spike.place.then(Affine::turn(-at[1], at[0]));
    parts.push_back(spike);
  }
  parts.push_back(disc(0, 0, waist, waist, main));
  if (random.chance(0.4f)) parts.push_back(disc(0, 0, 0.7f * waist, 0.7f * waist, other));
}

void mushroom(Parts& parts, const Colour& main, const Colour& other, DataRandom& random) {
  const float stem = random.uniform(0.15f, 0.28f), cap = random.uniform(0.6f, 0.95f);
  parts.push_back(trapezoid(0, 0.45f, stem, 0.5f, 0.8f, 1.2f, other));
  Part dome = disc(0, 0.1f, cap, random.uniform(0.7f, 0.95f), main);
  dome.cut = 0;
  parts.push_back(dome);
  const int spots = static_cast<int>(random.below(4));
  for (int s = 0; s < spots; ++s) {
    const float y = random.uniform(-0.5f, -0.1f), x = cap * random.uniform(-0.5f, 0.5f);
    parts.push_back(disc(x, y, 0.12f, 0.12f, other));
  }
}

constexpr decltype(&house) kThings[] = {house,  tree, fish, boat, car,
                                        flower, mug,  key,  star, mushroom};

/// A disc, box, triangle, ring or bar of any colour, anywhere.
Part scrap(DataRandom& random, float most, const Colour& colour) {
  Part part;
  part.kind = random.chance(0.4f) ? Part::Kind::kDisc : Part::Kind::kTrapezoid;
  if (random.chance(0.3f)) part.inner = 0.6f;
  part.top = static_cast<float>(random.below(3)) * 0.5f;
  const float slim = random.uniform(0.2f, 1.0f), size = random.uniform(0.25f, 1.0f) * most;
  const float turn = random.uniform(-1, 1);
  const float y = random.uniform(0, kProceduralSize), x = random.uniform(0, kProceduralSize);
  part.place =
      Affine::stretch(size * slim, size).then(Affine::turn_by(turn)).then(Affine::move(x, y));
  part.colour = colour;
  return part;
}

std::uint8_t to_byte(float value) {
  return static_cast<std::uint8_t>(std::clamp(value * 256.0f, 0.0f, 255.0f));
}

Dataset draw_all(std::size_t images, std::uint64_t seed, Split split, std::string name) {
  Dataset set;
  set.name = std::move(name);
  set.image_size = kProceduralSize;
  set.channels = 3;
  set.classes = static_cast<int>(kProceduralClasses.size());
  set.pixels.resize(images * set.image_values());
  set.labels.resize(images);
  for (std::size_t i = 0; i < images; ++i)
    set.labels[i] = static_cast<std::uint8_t>(draw_procedural(
        seed, split, i, std::span(set.pixels).subspan(i * set.image_values(), set.image_values())));
  return set;
}

}  // namespace

int draw_procedural(std::uint64_t seed, Split split, std::uint64_t index,
                    std::span<std::uint8_t> pixels) {
  constexpr int kSize = kProceduralSize;
  DataRandom random(seed, static_cast<std::uint64_t>(split), index);
  const int label = static_cast<int>(index % kProceduralClasses.size());
  std::array<Colour, kSize * kSize> picture;

  const float difficulty = std::sqrt(random.uniform());  // more hard ones than easy ones
  const Colour ground = any_colour(random), ground_too = any_colour(random);
  paint_background(ground, ground_too, random, kSize, picture);
  Colour middle;
  for (int c = 0; c < 3; ++c) middle[c] = 0.5f * (ground[c] + ground_too[c]);
  const float contrast = kContrast.at(difficulty);
  const Colour main = colour_unlike(middle, contrast, random);
  const Colour other = colour_unlike(main, contrast, random);

  // Clutter behind the thing, some of it in its colours.
  const auto most = static_cast<std::uint32_t>(kClutter.at(difficulty));
  for (std::uint32_t n = random.below(most + 1); n > 0; --n) {
    const std::uint32_t pick = random.below(4);
    paint(scrap(random, 6,
                pick == 0   ? main
                : pick == 1 ? other
                            : any_colour(random)),
          kSize, picture);
  }

  Parts parts;
  kThings[label](parts, main, other, random);
  const float scale = random.uniform(kMinScale.at(difficulty), kMaxScale);
  const float tall = scale * random.uniform(0.8f, 1.1f);
  const float wide = random.chance(0.5f) ? scale : -scale;
  const float tilt = random.uniform(-1, 1) * kTilt.at(difficulty);
  Affine lean;
  lean.b = random.uniform(-1, 1) * kShear.at(difficulty);
  const bool hollow = random.chance(kOutline.at(difficulty));
  const float slack = 0.5f * kSize - 0.8f * scale;
  const float y = 0.5f * kSize + slack * random.uniform(-1, 1);
  const float x = 0.5f * kSize + slack * random.uniform(-1, 1);
  const Affine place =
      lean.then(Affine::stretch(wide, tall)).then(Affine::turn_by(tilt)).then(Affine::move(x, y));
  for (Part& part : parts) {
    part.place = part.place.then(place);
    paint(part, kSize, picture);
    if (!hollow) continue;
    part.place = Affine::stretch(0.65f, 0.65f).then(part.place);
    part.colour = middle;
    paint(part, kSize, picture);
  }
  if (random.chance(kOccluded.at(difficulty)))
    paint(scrap(random, 5, any_colour(random)), kSize, picture);

  // Light that falls off across the picture, haze, noise of the sensor.
  const float across = random.uniform(-0.4f, 0.4f), down = random.uniform(-0.4f, 0.4f);
  const float haze = random.uniform() * kHaze.at(difficulty), level = random.uniform(0.2f, 0.8f);
  const float noise = random.uniform(0.3f, 1.0f) * kNoise.at(difficulty);
  for (int y = 0; y < kSize; ++y)
    for (int x = 0; x < kSize; ++x) {
      const float light = 1 + across * (x * (2.0f / kSize) - 1) + down * (y * (2.0f / kSize) - 1);
      for (int c = 0; c < 3; ++c) {
        const float clear = picture[y * kSize + x][c] * light;
        const float seen = clear + (level - clear) * haze;
        const float grain = random.uniform() + random.uniform() - 1;
        pixels[(y * kSize + x) * 3 + c] = to_byte(seen + noise * grain);
      }
    }
  return label;
}

Dataset procedural_training_set(std::size_t images, std::uint64_t seed) {
  return draw_all(images, seed, Split::kTrain, "procedural training set");
}

Dataset procedural_test_set(std::size_t images) {
  return draw_all(images, 0, Split::kTest, "procedural test set");
}

}  // namespace flyball
