// The operators in blocks of registers, for vectors of kLanes floats. Included once per instruction
// set, inside an unnamed namespace, by a file that has defined kLanes and is compiled for that set.
// It calls no inline function of the standard library: the linker keeps one copy of those, and it
// could be the one that only this set's machines can run.

using Vector
    [[gnu::vector_size(kLanes * sizeof(float)), gnu::aligned(alignof(float)), gnu::may_alias]] =
        float;

inline Vector load(const float* from) { return *reinterpret_cast<const Vector*>(from); }
inline void store(float* to, Vector value) { *reinterpret_cast<Vector*>(to) = value; }
inline int smaller(int a, int b) { return a < b ? a : b; }
inline int larger(int a, int b) { return a > b ? a : b; }

/// The part [begin, end) of a window of `size` that lies inside [0, limit) when it starts at
/// `origin`.
struct Span {
  int begin;
  int end;
};
inline Span clip(int origin, int size, int limit) {
  return {larger(0, -origin), smaller(size, limit - origin)};
}

// Twelve accumulators: with the weights' three vectors and one broadcast pixel they fill the
// sixteen registers of AVX2 and SSE2, and twelve independent sums hide the four to five cycles of
// an FMA on two pipes.
constexpr int kMaxVectors = 3;

/// kPixels neighbouring output pixels x (kVectors * kLanes) channels from `channel` on. The
/// window's columns `kx` lie inside the image for all of them.
template <int kPixels, int kVectors>
inline void convolve_block(const Convolution& op, int y, int x, int channel, Span ky, Span kx) {
  const int outputs = op.out.channels;
  const std::ptrdiff_t step = op.stride * op.in.pixel_stride;
  const int in_y = y * op.stride - op.pad;
  const int in_x = x * op.stride - op.pad;
  // Where pixels follow each other without a gap, a row of the window is one run of floats.
  const bool dense = op.in.pixel_stride == op.in.channels;
  const int runs = dense ? 1 : kx.end - kx.begin;
  const int run = dense ? (kx.end - kx.begin) * op.in.channels : op.in.channels;

  Vector sum[kPixels][kVectors] = {};
  for (int k = ky.begin; k < ky.end; ++k) {
    const float* pixels = op.in.at(in_y + k, in_x + kx.begin);
    const float* weights = op.weights +
                           (std::ptrdiff_t{k} * op.window + kx.begin) * op.in.channels * outputs +
                           channel;
    for (int r = 0; r < runs; ++r, pixels += op.in.pixel_stride) {
      for (int i = 0; i < run; ++i, weights += outputs) {
        Vector weight[kVectors];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) weight[v] = load(weights + v * kLanes);
#pragma GCC unroll 16
        for (int p = 0; p < kPixels; ++p) {
          const float pixel = pixels[p * step + i];
#pragma GCC unroll 4
          for (int v = 0; v < kVectors; ++v) sum[p][v] += weight[v] * pixel;
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    const int o = channel + v * kLanes;
    const Vector zero = {};
    const Vector scale = op.scale ? load(op.scale + o) : zero + 1.0f;
    const Vector bias = op.bias ? load(op.bias + o) : zero;
#pragma GCC unroll 16
    for (int p = 0; p < kPixels; ++p) {
      Vector value = sum[p][v] * scale + bias;
      if (op.relu) value = value > zero ? value : zero;
      store(op.out.at(y, x + p) + o, value);
    }
  }
}

/// The channels that do not fill a vector.
inline void convolve_rest(const Convolution& op, int y, int x, int channel, Span ky, Span kx) {
  for (int o = channel; o < op.out.channels; ++o) {
    float sum = 0;
    for (int k = ky.begin; k < ky.end; ++k)
      for (int l = kx.begin; l < kx.end; ++l) {
        const float* pixel = op.in.at(y * op.stride - op.pad + k, x * op.stride - op.pad + l);
        const float* weights =
            op.weights + (std::ptrdiff_t{k} * op.window + l) * op.in.channels * op.out.channels + o;
        for (int i = 0; i < op.in.channels; ++i)
          sum += pixel[i] * weights[std::ptrdiff_t{i} * op.out.channels];
      }
    const float value = sum * (op.scale ? op.scale[o] : 1.0f) + (op.bias ? op.bias[o] : 0.0f);
    op.out.at(y, x)[o] = op.relu && !(value > 0) ? 0.0f : value;
  }
}

/// All channels of kPixels pixels.
template <int kPixels>
inline void convolve_pixels(const Convolution& op, int y, int x, Span ky, Span kx) {
  int channel = 0;
  for (; channel + 3 * kLanes <= op.out.channels; channel += 3 * kLanes)
    convolve_block<kPixels, 3>(op, y, x, channel, ky, kx);
  for (; channel + 2 * kLanes <= op.out.channels; channel += 2 * kLanes)
    convolve_block<kPixels, 2>(op, y, x, channel, ky, kx);
  for (; channel + kLanes <= op.out.channels; channel += kLanes)
    convolve_block<kPixels, 1>(op, y, x, channel, ky, kx);
  if (channel < op.out.channels)
    for (int p = 0; p < kPixels; ++p) convolve_rest(op, y, x + p, channel, ky, kx);
}

void convolution(const Convolution& op, int row_begin, int row_end) {
  for (int y = row_begin; y < row_end; ++y) {
    const Span ky = clip(y * op.stride - op.pad, op.window, op.in.height);
    int x = 0;
    while (x < op.out.width) {
      const Span kx = clip(x * op.stride - op.pad, op.window, op.in.width);
      // Four at a time while the window of the first and of the fourth lies inside.
      const int fourth = (x + 3) * op.stride - op.pad;
      if (kx.begin == 0 && x + 4 <= op.out.width && fourth + op.window <= op.in.width) {
        convolve_pixels<4>(op, y, x, ky, kx);
        x += 4;
      } else {
        convolve_pixels<1>(op, y, x, ky, kx);
        x += 1;
      }
    }
  }
}

inline Vector combine_max(Vector a, Vector b) { return a > b ? a : b; }
inline Vector combine_sum(Vector a, Vector b) { return a + b; }
inline float combine_max(float a, float b) { return a > b ? a : b; }
inline float combine_sum(float a, float b) { return a + b; }

template <class Value, class Load, class Combine>
inline Value reduce(const Pooling& op, int y, int x, Value start, Load load_at, Combine combine) {
  const Span ky = clip(y * op.stride - op.pad, op.window, op.in.height);
  const Span kx = clip(x * op.stride - op.pad, op.window, op.in.width);
  Value result = start;
  for (int k = ky.begin; k < ky.end; ++k)
    for (int l = kx.begin; l < kx.end; ++l)
      result = combine(result,
                       load_at(op.in.at(y * op.stride - op.pad + k, x * op.stride - op.pad + l)));
  return result;
}

template <class CombineVector, class CombineFloat>
inline void pooling(const Pooling& op, int row_begin, int row_end, float start, float factor,
                    CombineVector combine_vector, CombineFloat combine_float) {
  for (int y = row_begin; y < row_end; ++y)
    for (int x = 0; x < op.out.width; ++x) {
      int c = 0;
      for (; c + kLanes <= op.out.channels; c += kLanes) {
        const Vector result = reduce(
            op, y, x, Vector{} + start, [c](const float* pixel) { return load(pixel + c); },
            combine_vector);
        store(op.out.at(y, x) + c, result * factor);
      }
      for (; c < op.out.channels; ++c)
        op.out.at(y, x)[c] =
            factor *
            reduce(
                op, y, x, start, [c](const float* pixel) { return pixel[c]; }, combine_float);
    }
}

void max_pooling(const Pooling& op, int row_begin, int row_end) {
  pooling(
      op, row_begin, row_end, -__FLT_MAX__, 1.0f,
      [](Vector a, Vector b) { return combine_max(a, b); },
      [](float a, float b) { return combine_max(a, b); });
}

void average_pooling(const Pooling& op, int row_begin, int row_end) {
  pooling(
      op, row_begin, row_end, 0.0f, 1.0f / static_cast<float>(op.window * op.window),
      [](Vector a, Vector b) { return combine_sum(a, b); },
      [](float a, float b) { return combine_sum(a, b); });
}

void fully_connected(const float* in, int inputs, const float* weights, const float* bias,
                     float* out, int outputs) {
  int o = 0;
  for (; o + kLanes <= outputs; o += kLanes) {
    Vector sum = bias ? load(bias + o) : Vector{};
    for (int i = 0; i < inputs; ++i) sum += load(weights + std::ptrdiff_t{i} * outputs + o) * in[i];
    store(out + o, sum);
  }
  for (; o < outputs; ++o) {
    float sum = bias ? bias[o] : 0.0f;
    for (int i = 0; i < inputs; ++i) sum += in[i] * weights[std::ptrdiff_t{i} * outputs + o];
    out[o] = sum;
  }
}

void relu(float* values, int count) {
  for (int i = 0; i < count; ++i) values[i] = values[i] > 0 ? values[i] : 0.0f;
}

void scale_bias(const Image& image, const float* scale, const float* bias) {
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) {
      float* const pixel = image.at(y, x);
      for (int c = 0; c < image.channels; ++c) pixel[c] = pixel[c] * scale[c] + bias[c];
    }
}

// Ten classes: nothing to gain from vectors.
void softmax(const float* in, float* out, int count) {
  reference_operators().softmax(in, out, count);
}
