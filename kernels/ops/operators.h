#pragma once

#include <cstddef>
#include <cstdint>
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

/// Output channels per panel of packed weights. It depends on the layer alone and not on the
/// instruction set, so that one packing serves all of them: 24 where the outputs divide by it
/// (three AVX2 registers, six of NEON), else 16 where they divide by it, else 8.
int panel_channels(int outputs);

/// Floats of the packed weights; the last panel is filled up with zeros.
std::size_t packed_size(int window, int inputs, int outputs);

/// From [window row][window column][input][output] to
/// [panel][window row][window column][input][panel channel]. A convolution that uses the first
/// inputs, or the first outputs, only, reads a prefix of each row, or of the panels.
void pack_weights(const float* plain, int window, int inputs, int outputs, float* packed);

/// out = relu?(scale * (in * weights) + bias), with zeros around the input. `out` has
/// output_size(...) rows and columns. Uses the first in.channels of `weight_inputs` inputs and
/// makes the first out.channels outputs.
struct Convolution {
  ConstImage in;
  Image out;
  const float* weights = nullptr;  ///< as pack_weights leaves them
  int weight_inputs = 0;           ///< inputs that were packed, at least in.channels
  int weight_outputs = 0;          ///< outputs that were packed, at least out.channels
  const float* scale = nullptr;    ///< per output channel; nullptr: 1
  const float* bias = nullptr;     ///< per output channel; nullptr: 0
  int window = 1;                  ///< rows and columns
  int stride = 1;
  int pad = 0;
  bool relu = false;
};

/// Whether `winograd` can run a layer: 3 x 3, stride 1, an output of even size, and a multiple of
/// eight, at most 256, inputs.
bool winograd_fits(int window, int stride, int output_size, int inputs);

/// Floats of the transformed weights: 16 for every 9.
std::size_t transformed_size(int inputs, int outputs);

/// From [window row][window column][input][output] to G w G^T:
/// [panel][position of 16][input][panel channel].
void transform_weights(const float* plain, int inputs, int outputs, float* transformed);

/// Each channel by itself: out[c] = relu?(scale[c] * sum over the window of in[c] * weights[c] +
/// bias[c]).
struct DepthwiseConvolution {
  ConstImage in;
  Image out;                       ///< as many channels as `in`
  const float* weights = nullptr;  ///< [window row][window column][weight_channels]
  int weight_channels = 0;         ///< at least in.channels: a narrower width uses the first ones
  const float* scale = nullptr;
  const float* bias = nullptr;
  int window = 3;
  int stride = 1;
  int pad = 0;
  bool relu = false;
};

/// An int8 value, -127 to 127, in a 16-bit slot: the multiply-and-add instructions of AVX2
/// (vpmaddwd) and of NEON without the dot-product extension (smlal) take 16-bit operands.
using Quantized = std::int16_t;
using QuantizedImage = BasicImage<Quantized>;
using ConstQuantizedImage = BasicImage<const Quantized>;

/// Pairs of inputs lie together, so the last of an odd number is followed by a zero weight.
std::size_t packed_size_int8(int window, int inputs, int outputs);  ///< bytes

/// From [window row][window column][input][output] to
/// [panel][window row][window column][input pair][panel channel][2].
void pack_weights_int8(const std::int8_t* plain, int window, int inputs, int outputs,
                       std::int8_t* packed);

/// Values of the transformed weights of an int8 layer that winograd_fits: 16-bit, 16 for every 9.
std::size_t transformed_size_int8(int inputs, int outputs);

/// From [window row][window column][input][output] to 2G w (2G)^T, which is exact:
/// [panel][position of 16][input pair][panel channel][2].
void transform_weights_int8(const std::int8_t* plain, int inputs, int outputs,
                            std::int16_t* transformed);

/// value = relu?(scale * (in * weights) + bias), the sum in exact 32-bit integers; one rounded
/// multiplication, then one rounded addition, so that every implementation gives the same bits.
/// `in` has an even number of channels (an odd one is followed by a slot of zeros); at most 65,536
/// products per output. Written to `out` rounded to the nearest (ties to even) and clamped to
/// [-127, 127], or to `out_float` as it is; the other one has data == nullptr.
struct QuantizedConvolution {
  ConstQuantizedImage in;
  QuantizedImage out;
  Image out_float;
  const std::int8_t* weights = nullptr;       ///< as pack_weights_int8 leaves them
  const std::int16_t* transformed = nullptr;  ///< as transform_weights_int8: for quantized_winograd
  int weight_inputs = 0;  ///< that were packed (an odd number counts as one more)
  int weight_outputs = 0;
  const float* scale = nullptr;  ///< per output channel, never nullptr
  const float* bias = nullptr;   ///< per output channel, never nullptr
  int window = 1;
  int stride = 1;
  int pad = 0;
  bool relu = false;
};

struct QuantizedPooling {
  ConstQuantizedImage in;
  QuantizedImage out;
  int window = 2;
  int stride = 2;
  int pad = 0;
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
  /// The same convolution by minimal filtering F(2 x 2, 3 x 3) (Winograd 1980; Lavin and Gray, CVPR
  /// 2016), which takes 16 multiplications for four outputs in place of 36. `op.weights` is as
  /// transform_weights leaves it, winograd_fits, the border lies in memory (op.pad is 0), and both
  /// row numbers are even.
  /// Takes up to 215 kB of the calling thread's stack.
  void (*winograd)(const Convolution& op, int row_begin, int row_end);
  void (*depthwise)(const DepthwiseConvolution& op, int row_begin, int row_end);
  void (*quantized_convolution)(const QuantizedConvolution& op, int row_begin, int row_end);
  /// The same bits by minimal filtering in 16 and 32 bits, as `winograd`: `op.transformed` is set,
  /// winograd_fits, op.pad is 0, and both row numbers are even.
  void (*quantized_winograd)(const QuantizedConvolution& op, int row_begin, int row_end);
  void (*quantized_max_pooling)(const QuantizedPooling& op, int row_begin, int row_end);
  /// out[i] = in[i] * scale, rounded to the nearest (ties to even), clamped to [-127, 127].
  void (*quantize)(const float* in, int count, float scale, Quantized* out);
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
/// Vectors of the machine's baseline instruction set, as the compiler makes them: SSE2, NEON.
const Operators& portable_operators();
/// nullptr where this machine, or this build, lacks the instructions: AVX2 with FMA; AVX-512 F, BW,
/// DQ and VL; NEON with fused multiply-add (every aarch64).
const Operators* avx2_operators();
const Operators* avx512_operators();
const Operators* neon_operators();

/// By name ("reference", "portable", "avx2", "avx512", "neon"); nullptr, and the reason in `why`,
/// when there is none or it cannot run here.
const Operators* find_operators(std::string_view name, std::string* why = nullptr);

/// The fastest for this machine, or the one that the environment variable FLYBALL_SIMD names. When
/// that cannot be had: nullptr, and the reason in `why`.
const Operators* choose_operators(std::string* why = nullptr);

/// A convolution in groups: group g sees in.channels / groups of the input channels and makes as
/// many of the output's. `op` describes the whole image; its weights are one group's after the
/// other's.
void grouped_convolution(const Operators& operators, const Convolution& op, int groups);

}  // namespace flyball
