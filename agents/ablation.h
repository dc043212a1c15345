#pragma once

#include <cstdint>

#include "kernels/base/random.h"

namespace flyball {

/// What may be done to what was learned, to see whether it matters.
enum class Ablation : std::uint8_t { kZeroed, kNegated, kShuffled };

/// Something learned that can be spoilt: as if it were nothing, its opposite, or in the wrong places.
class Spoilable {
 public:
  virtual ~Spoilable() = default;
  virtual void ablate(Ablation how, Random& random) = 0;
};

}  // namespace flyball
