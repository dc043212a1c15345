#pragma once

#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/dnn/network_spec.h"

namespace flyball::bench {

/// One step of a network as other libraries take it. Images are NHWC.
struct FlatLayer {
  enum class Kind { kConvolution, kMaxPooling, kAveragePooling, kLinear };
  Kind kind;
  int in_size = 1;  ///< rows and columns
  int in_channels = 0;
  int out_size = 1;
  int out_channels = 0;
  int groups = 1;
  int window = 1;
  int stride = 1;
  int pad = 0;
  bool relu = false;
  /// Convolution: [out][window row][window column][in of its group]; linear:
  /// [out][row][column][in]. Batch normalisation is folded into both.
  std::vector<float> weights{};
  std::vector<float> bias{};
};

/// One width of a grouped network, written down layer by layer.
struct FlatNetwork {
  int image_size = 0;
  int image_channels = 0;
  int classes = 0;
  std::vector<FlatLayer> layers;

  std::size_t image_values() const { return std::size_t(image_size) * image_size * image_channels; }
};

/// All the towers of `width` as one network of group convolutions.
FlatNetwork flatten(const NetworkSpec& spec, std::span<const float> parameters, int width);

/// Each tower of `width` as a network by itself; the sum of their logits is that of flatten().
std::vector<FlatNetwork> split(const NetworkSpec& spec, std::span<const float> parameters,
                               int width);

/// In plain loops and double precision.
std::vector<float> infer_plainly(const FlatNetwork& network, std::span<const float> image);

/// What a library does not have for this machine.
struct Unavailable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Somebody else's implementation of a network.
class Contender {
 public:
  virtual ~Contender() = default;
  /// Puts the image (NHWC) where, and in the order in which, infer() wants it. Not timed.
  virtual void load(std::span<const float> image) = 0;
  virtual void infer(std::span<float> logits) = 0;
};

/// A way to use a library.
struct Variant {
  std::string name;
  std::unique_ptr<Contender> (*make)(const FlatNetwork& network);
};

}  // namespace flyball::bench
