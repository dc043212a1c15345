#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace flyball {

/// One image, or a slice of its channels: rows of pixels of channels (NHWC with N = 1). The
/// strides, in floats, let the same operator work on one group's channels of a wider image and on
/// the inside of an image with a border.
template <class T>
struct BasicImage {
  T* data = nullptr;  ///< the first channel of the first pixel
  int height = 0;
  int width = 0;
  int channels = 0;
  std::ptrdiff_t pixel_stride = 0;
  std::ptrdiff_t row_stride = 0;

  // Inlined even without optimisation: a copy compiled for AVX2 must not end up serving the others.
  [[gnu::always_inline]] T* at(int y, int x) const {
    return data + y * row_stride + x * pixel_stride;
  }
  BasicImage channels_from(int first, int count) const {
    return {data + first, height, width, count, pixel_stride, row_stride};
  }
  operator BasicImage<const T>() const {
    return {data, height, width, channels, pixel_stride, row_stride};
  }
};
using Image = BasicImage<float>;
using ConstImage = BasicImage<const float>;

/// Without gaps between pixels or rows.
template <class T>
BasicImage<T> dense_image(T* data, int height, int width, int channels) {
  return {data, height, width, channels, channels, std::ptrdiff_t{width} * channels};
}

/// The size of an output along one axis; 0 when the window does not fit.
inline int output_size(int input, int window, int stride, int pad) {
  return input + 2 * pad < window ? 0 : (input + 2 * pad - window) / stride + 1;
}

/// out = relu?(scale * (in * weights) + bias), with zeros around the input. `out` has
/// output_size(...) rows and columns.
struct Convolution {
  ConstImage in;
  Image out;
  const float* weights = nullptr;  ///< [window row][window column][in.channels][out.channels]
  const float* scale = nullptr;    ///< per output channel; nullptr: 1
  const float* bias = nullptr;     ///< per output channel; nullptr: 0
  int window = 1;                  ///< rows and columns
  int stride = 1;
  int pad = 0;
  bool relu = false;
};

/// Pooling over window x window pixels. Pixels outside the image never win a maximum, and count as
/// zeros in an average (whose divisor is always window * window).
struct Pooling {
  ConstImage in;
  Image out;
  int window = 2;
  int stride = 2;
  int pad = 0;
};

/// One implementation of every operator. Those with rows compute the output rows [row_begin,
/// row_end) only, so that the rows of an image can be shared out; the result of a row does not
/// depend on the sharing.
struct Operators {
  const char* name;
  void (*convolution)(const Convolution& op, int row_begin, int row_end);
  void (*max_pooling)(const Pooling& op, int row_begin, int row_end);
  void (*average_pooling)(const Pooling& op, int row_begin, int row_end);
  /// out[o] = bias[o] + sum over i of in[i] * weights[i][o]; bias may be nullptr (0).
  void (*fully_connected)(const float* in, int inputs, const float* weights, const float* bias,
                          float* out, int outputs);
  void (*relu)(float* values, int count);
  /// Per channel, in place: a batch normalisation with its statistics folded in.
  void (*scale_bias)(const Image& image, const float* scale, const float* bias);
  /// out may be in. Computed relative to the largest input, so nothing overflows.
  void (*softmax)(const float* in, float* out, int count);
};

/// What the operators mean, in plain loops: the measure of the others.
const Operators& reference_operators();
/// Vectors of the machine's baseline instruction set: SSE2, NEON.
const Operators& portable_operators();
/// AVX2 and FMA; nullptr where this machine, or this build, has none.
const Operators* avx2_operators();

/// By name ("reference", "portable", "avx2"); nullptr, and the reason in `why`, when there is none
/// or it cannot run here.
const Operators* find_operators(std::string_view name, std::string* why = nullptr);

/// The fastest for this machine, or the one that the environment variable FLYBALL_SIMD names. When
/// that cannot be had: nullptr, and the reason in `why`.
const Operators* choose_operators(std::string* why = nullptr);

/// A convolution in groups: group g sees in.channels / groups of the input channels and makes as
/// many of the output's. `op` describes the whole image; its weights are one group's after the
/// other's.
void grouped_convolution(const Operators& operators, const Convolution& op, int groups);

}  // namespace flyball
