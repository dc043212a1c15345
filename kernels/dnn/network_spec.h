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

/// The shape of a dynamic-width network: `groups` towers of group convolutions that see the same
/// image and never each other, and a classifier that adds up what each of them has to say. Width w
/// (0-based) is the first w + 1 groups.
struct NetworkSpec {
  int image_size = 32;  ///< rows and columns
  int image_channels = 3;
  int classes = 10;
  int groups = 4;
  std::vector<LayerSpec> layers;
  bool operator==(const NetworkSpec&) const = default;

  /// Empty when the shapes fit each other; otherwise the first thing that does not.
  std::string problem() const;
};

/// Where everything lies, worked out once. Parameters of one group, in this order: for each layer
/// its weights [window row][window column][input][output], scale [output], bias [output]; then the
/// classifier's weights [feature][class]. Groups follow each other, so a width's parameters are a
/// prefix; after the last group: the classifier's bias [width][class].
struct NetworkLayout {
  struct Layer {
    int in_size;  ///< rows and columns of the input
    int in_channels;
    int conv_size;                     ///< of the convolution's output
    int out_size;                      ///< behind the pooling
    std::size_t weights, scale, bias;  ///< offsets into the group's parameters
    std::size_t multiplications;       ///< of the convolution
  };
  std::vector<Layer> layers;
  int features = 0;            ///< per group, into the classifier
  std::size_t classifier = 0;  ///< offset into the group's parameters
  std::size_t group_parameters = 0;
  std::size_t class_bias = 0;  ///< offset into all parameters
  std::size_t parameters = 0;  ///< in total

  explicit NetworkLayout(const NetworkSpec& spec);  ///< spec.problem() is empty
};

/// AlexNet brought down to 32 x 32 images: five convolutions, overlapping pooling behind the first,
/// second and fifth, and one linear classifier; channels rise, stay and fall as AlexNet's do, in 4
/// groups. 80,552 parameters, 322 kB as floats; 12 million multiplications at full width, a quarter
/// of them per group.
NetworkSpec modified_alexnet();

}  // namespace flyball
