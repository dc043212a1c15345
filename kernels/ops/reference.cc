#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/ops/operators.h"

namespace flyball {
namespace {

template <class T>
bool inside(const BasicImage<T>& image, int y, int x) {
  return y >= 0 && y < image.height && x >= 0 && x < image.width;
}

/// Where the weight of (row, column, input, output) lies when `depth` inputs lie together.
struct PackedIndex {
  int window, inputs, outputs, depth;
  std::size_t operator()(int ky, int kx, int i, int o) const {
    const std::size_t panel = panel_channels(outputs), steps = (inputs + depth - 1) / depth;
    const std::size_t position = std::size_t(ky) * window + kx;
    const std::size_t step = (o / panel * window * window + position) * steps + i / depth;
    return (step * panel + o % panel) * depth + i % depth;
  }
};

/// Calls visit(window row, window column, pixel) for each pixel of the window that lies inside.
template <class Op, class Visit>
void visit_window(const Op& op, int y, int x, Visit&& visit) {
  for (int ky = 0; ky < op.window; ++ky)
    for (int kx = 0; kx < op.window; ++kx) {
      const int in_y = y * op.stride - op.pad + ky;
      const int in_x = x * op.stride - op.pad + kx;
      if (inside(op.in, in_y, in_x)) visit(ky, kx, op.in.at(in_y, in_x));
    }
}

/// Calls visit(y, x, channel) for each output of the rows.
template <class Image, class Visit>
void visit_outputs(const Image& out, int row_begin, int row_end, Visit&& visit) {
  for (int y = row_begin; y < row_end; ++y)
    for (int x = 0; x < out.width; ++x)
      for (int c = 0; c < out.channels; ++c) visit(y, x, c);
}

template <class Op>
float finish(const Op& op, float sum, int o) {
  const float value = sum * (op.scale ? op.scale[o] : 1.0f) + (op.bias ? op.bias[o] : 0.0f);
  return op.relu && !(value > 0) ? 0.0f : value;  // never -0
}

void convolution(const Convolution& op, int row_begin, int row_end) {
  const PackedIndex index{op.window, op.weight_inputs, op.weight_outputs, 1};
  visit_outputs(op.out, row_begin, row_end, [&](int y, int x, int o) {
    float sum = 0;
    visit_window(op, y, x, [&](int ky, int kx, const float* pixel) {
      for (int i = 0; i < op.in.channels; ++i) sum += pixel[i] * op.weights[index(ky, kx, i, o)];
    });
    op.out.at(y, x)[o] = finish(op, sum, o);
  });
}

void depthwise(const DepthwiseConvolution& op, int row_begin, int row_end) {
  visit_outputs(op.out, row_begin, row_end, [&](int y, int x, int c) {
    float sum = 0;
    visit_window(op, y, x, [&](int ky, int kx, const float* pixel) {
      sum += pixel[c] * op.weights[std::size_t(ky * op.window + kx) * op.weight_channels + c];
    });
    op.out.at(y, x)[c] = finish(op, sum, c);
  });
}

/// To the nearest, ties to even: the default rounding of nearbyint.
Quantized rounded(float value) {
  return static_cast<Quantized>(std::nearbyint(std::clamp(value, -127.0f, 127.0f)));
}

void quantized_convolution(const QuantizedConvolution& op, int row_begin, int row_end) {
  const PackedIndex index{op.window, op.weight_inputs, op.weight_outputs, 2};
  const auto compute = [&](int y, int x, int o) {
    std::int32_t sum = 0;
    visit_window(op, y, x, [&](int ky, int kx, const Quantized* pixel) {
      for (int i = 0; i < op.in.channels; ++i) sum += pixel[i] * op.weights[index(ky, kx, i, o)];
    });
    return finish(op, static_cast<float>(sum), o);
  };
  if (op.out.data)
    visit_outputs(op.out, row_begin, row_end,
                  [&](int y, int x, int o) { op.out.at(y, x)[o] = rounded(compute(y, x, o)); });
  else
    visit_outputs(op.out_float, row_begin, row_end,
                  [&](int y, int x, int o) { op.out_float.at(y, x)[o] = compute(y, x, o); });
}

template <class Op, class T>
void maximum(const Op& op, int row_begin, int row_end, T lowest) {
  visit_outputs(op.out, row_begin, row_end, [&](int y, int x, int c) {
    T best = lowest;
    visit_window(op, y, x, [&](int, int, const T* pixel) { best = std::max(best, pixel[c]); });
    op.out.at(y, x)[c] = best;
  });
}

void max_pooling(const Pooling& op, int row_begin, int row_end) {
  maximum(op, row_begin, row_end, std::numeric_limits<float>::lowest());
}

void quantized_max_pooling(const QuantizedPooling& op, int row_begin, int row_end) {
  maximum(op, row_begin, row_end, std::numeric_limits<Quantized>::lowest());
}

void quantize(const float* in, int count, float scale, Quantized* out) {
  for (int i = 0; i < count; ++i) out[i] = rounded(in[i] * scale);
}

void average_pooling(const Pooling& op, int row_begin, int row_end) {
  const float share = 1.0f / static_cast<float>(op.window * op.window);
  visit_outputs(op.out, row_begin, row_end, [&](int y, int x, int c) {
    float sum = 0;
    visit_window(op, y, x, [&](int, int, const float* pixel) { sum += pixel[c]; });
    op.out.at(y, x)[c] = sum * share;
  });
}

void fully_connected(const float* in, int inputs, const float* weights, const float* bias,
                     float* out, int outputs) {
  for (int o = 0; o < outputs; ++o) {
    float sum = bias ? bias[o] : 0.0f;
    for (int i = 0; i < inputs; ++i) sum += in[i] * weights[i * outputs + o];
    out[o] = sum;
  }
}

void relu(float* values, int count) {
  for (int i = 0; i < count; ++i) values[i] = std::max(values[i], 0.0f);
}

constexpr int kInputTransform[4][4] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
constexpr int kOutputTransform[2][4] = {{1, 1, 1, 0}, {0, 1, -1, -1}};

constexpr int kMostInputs = 256;  // winograd_fits

/// Calls write(y, x, channel, A^T sums A) for each output; T: of the sums. `depth` inputs lie
/// together in the weights.
template <class T, class Op, class Out, class Weight, class Write>
void filter_minimally(const Op& op, const Out& out, const Weight* weights, int depth, int row_begin,
                      int row_end, Write&& write) {
  const PackedIndex index{4, op.weight_inputs, op.weight_outputs, depth};
  for (int y = row_begin; y < row_end; y += 2)
    for (int x = 0; x < out.width; x += 2) {
      T inputs[kMostInputs][16] = {};  // B^T d B
      for (int i = 0; i < op.in.channels; ++i)
        for (int p = 0; p < 16; ++p)
          for (int k = 0; k < 4; ++k)
            for (int l = 0; l < 4; ++l)
              inputs[i][p] +=
                  static_cast<T>(kInputTransform[p / 4][k] * kInputTransform[p % 4][l]) *
                  op.in.at(y + k, x + l)[i];
      for (int o = 0; o < out.channels; ++o) {
        T sums[16] = {}, pixels[4] = {};
        for (int p = 0; p < 16; ++p)
          for (int i = 0; i < op.in.channels; ++i)
            sums[p] += inputs[i][p] * weights[index(p / 4, p % 4, i, o)];
        for (int pixel = 0; pixel < 4; ++pixel)
          for (int p = 0; p < 16; ++p)
            pixels[pixel] += static_cast<T>(kOutputTransform[pixel / 2][p / 4] *
                                            kOutputTransform[pixel % 2][p % 4]) *
                             sums[p];
        for (int pixel = 0; pixel < 4; ++pixel)
          write(y + pixel / 2, x + pixel % 2, o, pixels[pixel]);
      }
    }
}

void winograd(const Convolution& op, int row_begin, int row_end) {
  filter_minimally<float>(
      op, op.out, op.weights, 1, row_begin, row_end,
      [&](int y, int x, int o, float sum) { op.out.at(y, x)[o] = finish(op, sum, o); });
}

void quantized_winograd(const QuantizedConvolution& op, int row_begin, int row_end) {
  const auto run = [&](const auto& out, auto&& convert) {
    filter_minimally<std::int32_t>(op, out, op.transformed, 2, row_begin, row_end,
                                   [&](int y, int x, int o, std::int32_t four_times) {
                                     out.at(y, x)[o] =
                                         convert(finish(op, static_cast<float>(four_times / 4), o));
                                   });
  };
  if (op.out.data)
    run(op.out, rounded);
  else
    run(op.out_float, [](float value) { return value; });
}

void scale_bias(const Image& image, const float* scale, const float* bias) {
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      for (int c = 0; c < image.channels; ++c)
        image.at(y, x)[c] = image.at(y, x)[c] * scale[c] + bias[c];
}

void softmax(const float* in, float* out, int count) {
  const float largest = *std::max_element(in, in + count);
  float sum = 0;
  for (int i = 0; i < count; ++i) {
    out[i] = std::exp(in[i] - largest);
    sum += out[i];
  }
  for (int i = 0; i < count; ++i) out[i] /= sum;
}

#include "kernels/ops/table.h"

}  // namespace

const Operators& reference_operators() {
  static constexpr Operators kOperators = table_of("reference");
  return kOperators;
}

}  // namespace flyball
