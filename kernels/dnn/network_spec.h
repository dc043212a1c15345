#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace flyball {

/// A convolution with its batch normalisation (scale and bias), ReLU, and the pooling behind it.
/// Sizes are per group.
struct LayerSpec {
  enum class Pool { kNone, kMax, kAverage };
  int channels = 0;  ///< of the output
  int window = 3;
  int stride = 1;
  int pad = 1;
  Pool pool = Pool::kNone;
  int pool_window = 0;
  int pool_stride = 0;
  int pool_pad = 0;
  bool operator==(const LayerSpec&) const = default;
};

/// The shape of a dynamic-width network of `widths` widths.
///
/// kGrouped: `widths` towers of convolutions that see the same image and never each other, and a
/// classifier that adds up what each of them has to say. Width w (0-based) is the first w + 1
/// towers; a layer's `channels` are those of one tower. Cost is linear in width.
///
/// kSlimmable (Yu et al., "Slimmable neural networks", ICLR 2019): one tower whose widths share
/// their weights; width w uses the first (w + 1) / widths of each layer's channels, which is what
/// `channels` counts, and has scales and biases of its own. Cost is quadratic in width.
struct NetworkSpec {
  enum class Kind { kGrouped, kSlimmable };
  Kind kind = Kind::kGrouped;
  int image_size = 32;  ///< rows and columns
  int image_channels = 3;
  int classes = 10;
  int widths = 4;
  std::vector<LayerSpec> layers;
  bool operator==(const NetworkSpec&) const = default;

  /// Empty when the shapes fit each other; otherwise the first thing that does not.
  std::string problem() const;
  int towers() const { return kind == Kind::kGrouped ? widths : 1; }
  /// Towers that `width` runs.
  int active_towers(int width) const { return kind == Kind::kGrouped ? width + 1 : 1; }
  /// Of a layer's `full` channels, those that `width` uses in one tower.
  int active_channels(int full, int width) const {
    return kind == Kind::kGrouped ? full : full * (width + 1) / widths;
  }
  /// Sets of scales and biases: one per tower (kGrouped) or one per width (kSlimmable).
  int scale_sets_per_tower() const { return kind == Kind::kGrouped ? 1 : widths; }
};

/// Where everything lies in the parameters, worked out once. One tower, in this order: for each
/// layer its weights [window row][window column][input][output], then scale [set][output] and
/// bias [set][output] for each of its sets (NetworkSpec::scale_sets_per_tower); then the
/// classifier's weights [row][column][channel][class] of what the last layer leaves. Towers follow
/// each other, so that a grouped width's parameters are a prefix; after the last one: the
/// classifier's bias [width][class].
struct NetworkLayout {
  struct Layer {
    int in_size;  ///< rows and columns of the input
    int in_channels;
    int conv_size;                     ///< of the convolution's output
    int out_size;                      ///< behind the pooling
    std::size_t weights, scale, bias;  ///< offsets into the tower's parameters
    std::size_t multiplications;       ///< of the convolution, all channels
    bool winograd;                     ///< runs by minimal filtering, see Operators::winograd
  };
  std::vector<Layer> layers;
  int features = 0;            ///< per tower, into the classifier
  std::size_t classifier = 0;  ///< offset into the tower's parameters
  std::size_t tower_parameters = 0;
  std::size_t class_bias = 0;  ///< offset into all parameters
  std::size_t parameters = 0;  ///< in total

  explicit NetworkLayout(const NetworkSpec& spec);  ///< spec.problem() is empty

  /// Multiplications of one inference at `width`, the classifier's included.
  std::size_t multiplications(const NetworkSpec& spec, int width) const;
  /// Parameters that `width` uses.
  std::size_t active_parameters(const NetworkSpec& spec, int width) const;
};

/// AlexNet brought down to 32 x 32 images: five convolutions, overlapping pooling behind the first,
/// second and fifth, and one linear classifier; channels rise, stay and fall as AlexNet's do, in 4
/// groups. 80,552 parameters, 322 kB as floats; 12 million multiplications at full width, a quarter
/// of them per group.
NetworkSpec modified_alexnet();

/// The same layers as one slimmable tower of 32, 64, 64, 64 and 32 channels: as many
/// multiplications at full width, within a tenth.
NetworkSpec slimmable_alexnet();

/// Six plain 3 x 3 convolutions of 32, 32, 64 (stride 2), 64, 128 (stride 2) and 128 channels on
/// 32 x 32 images, with one width: what a network that is not dynamic costs.
NetworkSpec plain_cifar_network();

}  // namespace flyball
