#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/dnn/network_spec.h"

namespace flyball {

/// The arithmetic of an inference: a knob beside the width.
enum class Precision : std::uint8_t { kFloat32, kInt8 };
inline constexpr int kPrecisions = 2;
const char* name_of(Precision precision);  ///< "fp32", "int8"

/// How good a network is at each width, and who says so.
struct NetworkAccuracy {
  std::vector<float> top1_pct;       ///< per width; empty when nobody has measured it
  std::vector<float> int8_top1_pct;  ///< likewise
  std::string source = "not measured: the weights are seeded, not trained";
};

/// All there is to know of a network: what a model file holds.
struct Model {
  NetworkSpec spec;
  std::vector<float> parameters;  ///< as NetworkLayout orders them
  /// The largest magnitudes that int8 has to represent: of the image, then of what each layer
  /// passes on, [tower][layer] (kGrouped) or [width][layer] (kSlimmable). Empty: no int8.
  std::vector<float> activation_max;
  NetworkAccuracy accuracy;
  std::string provenance;  ///< the command that made it; may be empty

  std::size_t activation_count() const { return 1 + spec.widths * spec.layers.size(); }
  /// Empty when all of it fits together and is finite; otherwise the first thing that does not.
  std::string problem() const;
};

/// He-uniform weights, scale 1, bias 0, activation ranges from noise. The same seed gives the same
/// bits on every machine.
Model seeded_model(const NetworkSpec& spec, std::uint64_t seed);

}  // namespace flyball
