#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/ops/operators.h"

namespace flyball {
namespace {

bool inside(ConstImage image, int y, int x) {
  return y >= 0 && y < image.height && x >= 0 && x < image.width;
}

void convolution(const Convolution& op, int row_begin, int row_end) {
  for (int y = row_begin; y < row_end; ++y)
    for (int x = 0; x < op.out.width; ++x)
      for (int o = 0; o < op.out.channels; ++o) {
        float sum = 0;
        for (int ky = 0; ky < op.window; ++ky)
          for (int kx = 0; kx < op.window; ++kx) {
            const int in_y = y * op.stride - op.pad + ky;
            const int in_x = x * op.stride - op.pad + kx;
            if (!inside(op.in, in_y, in_x)) continue;
            const float* pixel = op.in.at(in_y, in_x);
            for (int i = 0; i < op.in.channels; ++i)
              sum += pixel[i] *
                     op.weights[((ky * op.window + kx) * op.in.channels + i) * op.out.channels + o];
          }
        const float value = sum * (op.scale ? op.scale[o] : 1.0f) + (op.bias ? op.bias[o] : 0.0f);
        op.out.at(y, x)[o] = op.relu ? std::max(value, 0.0f) : value;
      }
}

/// Calls visit(value) for each pixel of the window that lies inside.
template <class Visit>
void visit_window(const Pooling& op, int y, int x, int channel, Visit&& visit) {
  for (int ky = 0; ky < op.window; ++ky)
    for (int kx = 0; kx < op.window; ++kx) {
      const int in_y = y * op.stride - op.pad + ky;
      const int in_x = x * op.stride - op.pad + kx;
      if (inside(op.in, in_y, in_x)) visit(op.in.at(in_y, in_x)[channel]);
    }
}

void max_pooling(const Pooling& op, int row_begin, int row_end) {
  for (int y = row_begin; y < row_end; ++y)
    for (int x = 0; x < op.out.width; ++x)
      for (int c = 0; c < op.out.channels; ++c) {
        float best = std::numeric_limits<float>::lowest();
        visit_window(op, y, x, c, [&](float value) { best = std::max(best, value); });
        op.out.at(y, x)[c] = best;
      }
}

void average_pooling(const Pooling& op, int row_begin, int row_end) {
  const float share = 1.0f / static_cast<float>(op.window * op.window);
  for (int y = row_begin; y < row_end; ++y)
    for (int x = 0; x < op.out.width; ++x)
      for (int c = 0; c < op.out.channels; ++c) {
        float sum = 0;
        visit_window(op, y, x, c, [&](float value) { sum += value; });
        op.out.at(y, x)[c] = sum * share;
      }
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

}  // namespace

const Operators& reference_operators() {
  static constexpr Operators kOperators = {"reference",     convolution,     max_pooling,
                                           average_pooling, fully_connected, relu,
                                           scale_bias,      softmax};
  return kOperators;
}

}  // namespace flyball
