// The operators layer by layer, on one thread: multiplications a second, and what share that is of
// the core's own peak. The peak is measured in turn with the layer by a loop that keeps everything
// in registers, and the best of each is what counts: a machine shared with others slows both.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "kernels/ops/operators.h"
#include "kernels/base/clock.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace flyball {
namespace {

/// A loop of independent fused multiply-adds, and how many multiplications it makes a round. Empty
/// asm statements give it sums and factors in registers that the compiler knows nothing about.
struct Peak {
  std::int64_t per_round;
  void (*run)(std::int64_t rounds);
};

#if defined(__x86_64__)
// Twelve sums: four cycles of latency on two pipes want eight.
[[gnu::target("avx2,fma"), gnu::noinline]] void avx2_peak(std::int64_t rounds) {
  __m256 sum[12];
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) asm volatile("" : "=x"(sum[i]) : "0"(_mm256_setzero_ps()));
  __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(1e-3f);
  for (std::int64_t r = 0; r < rounds; ++r) {
    asm volatile("" : "+x"(a), "+x"(b));
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) sum[i] = _mm256_fmadd_ps(sum[i], a, b);
  }
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) asm volatile("" : : "x"(sum[i]));
}
[[gnu::target("avx512f"), gnu::noinline]] void avx512_peak(std::int64_t rounds) {
  __m512 sum[12];
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) asm volatile("" : "=v"(sum[i]) : "0"(_mm512_setzero_ps()));
  __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(1e-3f);
  for (std::int64_t r = 0; r < rounds; ++r) {
    asm volatile("" : "+v"(a), "+v"(b));
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) sum[i] = _mm512_fmadd_ps(sum[i], a, b);
  }
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) asm volatile("" : : "v"(sum[i]));
}
Peak peak_of(const std::string& operators) {
  if (operators == "avx512") return {12 * 16, avx512_peak};
  return {12 * 8, avx2_peak};
}
#elif defined(__aarch64__)
[[gnu::noinline]] void neon_peak(std::int64_t rounds) {
  float32x4_t sum[24];
#pragma GCC unroll 24
  for (int i = 0; i < 24; ++i) asm volatile("" : "=w"(sum[i]) : "0"(vdupq_n_f32(0)));
  float32x4_t a = vdupq_n_f32(0.999f), b = vdupq_n_f32(1e-3f);
  for (std::int64_t r = 0; r < rounds; ++r) {
    asm volatile("" : "+w"(a), "+w"(b));
#pragma GCC unroll 24
    for (int i = 0; i < 24; ++i) sum[i] = vfmaq_f32(sum[i], a, b);
  }
#pragma GCC unroll 24
  for (int i = 0; i < 24; ++i) asm volatile("" : : "w"(sum[i]));
}
Peak peak_of(const std::string&) { return {24 * 4, neon_peak}; }
#endif

struct LayerShape {
  const char* name;
  int window, inputs, outputs, size, stride;  // size: rows and columns without the border
  int pad() const { return window / 2; }
  int out_size() const { return output_size(size, window, stride, pad()); }
  double multiplications() const {
    return 1.0 * out_size() * out_size() * outputs * inputs * window * window;
  }
};

// One tower of the default network, then the plain network for CIFAR.
constexpr LayerShape kLayers[] = {{"tower1_5x5_3to16", 5, 3, 16, 32, 1},
                                  {"tower2_3x3_16to24", 3, 16, 24, 16, 1},
                                  {"tower3_3x3_24to24", 3, 24, 24, 8, 1},
                                  {"tower5_3x3_24to16", 3, 24, 16, 8, 1},
                                  {"plain1_3x3_3to32", 3, 3, 32, 32, 1},
                                  {"plain2_3x3_32to32", 3, 32, 32, 32, 1},
                                  {"plain3_3x3_32to64_stride2", 3, 32, 64, 32, 2},
                                  {"plain4_3x3_64to64", 3, 64, 64, 16, 1},
                                  {"plain5_3x3_64to128_stride2", 3, 64, 128, 16, 2},
                                  {"plain6_3x3_128to128", 3, 128, 128, 8, 1}};

/// On cache lines, as a network has its images and weights.
template <class T>
struct Aligned {
  using value_type = T;
  Aligned() = default;
  template <class U>
  Aligned(const Aligned<U>&) {}
  T* allocate(std::size_t n) {
    return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(64)));
  }
  void deallocate(T* p, std::size_t) { ::operator delete(p, std::align_val_t(64)); }
  bool operator==(const Aligned&) const { return true; }
};
template <class T>
using Values = std::vector<T, Aligned<T>>;

template <class T>
Values<T> noise(std::size_t count) {
  std::mt19937 random(1);
  Values<T> values(count);
  for (T& value : values)
    value = static_cast<T>((static_cast<int>(random() % 255) - 127) /
                           (std::is_floating_point_v<T> ? 127.0 : 1.0));
  return values;
}

/// Runs `layer` in turn with the peak's loop, and reports the best of both.
template <class Run>
void measure(benchmark::State& state, const Operators& operators, double multiplications,
             Run&& run) {
  const Peak peak = peak_of(operators.name);
  constexpr std::int64_t kRounds = 5000;  // 10 us at 3 GHz: less than the longest layer
  std::int64_t best = std::numeric_limits<std::int64_t>::max(), best_peak = best;
  for (auto _ : state) {
    const std::int64_t start = monotonic_ns();
    peak.run(kRounds);
    const std::int64_t between = monotonic_ns();
    run();
    const std::int64_t end = monotonic_ns();
    best_peak = std::min(best_peak, between - start);
    best = std::min(best, end - between);
    state.SetIterationTime(1e-9 * static_cast<double>(end - between));
  }
  const double gmac_s = multiplications / static_cast<double>(best);
  const double peak_gmac_s =
      static_cast<double>(kRounds * peak.per_round) / static_cast<double>(best_peak);
  state.counters["best_us"] = 1e-3 * static_cast<double>(best);
  state.counters["gmac_s"] = gmac_s;
  state.counters["peak_gmac_s"] = peak_gmac_s;
  state.counters["peak_pct"] = 100 * gmac_s / peak_gmac_s;
}

Convolution float_layer(const LayerShape& shape, const Values<float>& in,
                        const Values<float>& weights, Values<float>& out) {
  const int side = shape.size + 2 * shape.pad();
  Convolution op;
  op.in = dense_image(in.data(), side, side, shape.inputs);
  op.out = dense_image(out.data(), shape.out_size(), shape.out_size(), shape.outputs);
  op.weights = weights.data();
  op.weight_inputs = shape.inputs;
  op.weight_outputs = shape.outputs;
  op.window = shape.window;
  op.stride = shape.stride;
  op.relu = true;
  return op;
}

std::size_t in_values(const LayerShape& shape, int channels) {
  const std::size_t side = shape.size + 2 * shape.pad();
  return side * side * channels;
}
std::size_t out_values(const LayerShape& shape) {
  return std::size_t(shape.out_size()) * shape.out_size() * shape.outputs;
}

void direct(benchmark::State& state, const Operators& operators, const LayerShape& shape) {
  const auto in = noise<float>(in_values(shape, shape.inputs));
  const auto weights = noise<float>(packed_size(shape.window, shape.inputs, shape.outputs));
  Values<float> out(out_values(shape));
  const Convolution op = float_layer(shape, in, weights, out);
  measure(state, operators, shape.multiplications(),
          [&] { operators.convolution(op, 0, shape.out_size()); });
}

/// In multiplications of the direct convolution, so that what it saves shows.
void minimal_filtering(benchmark::State& state, const Operators& operators,
                       const LayerShape& shape) {
  const auto in = noise<float>(in_values(shape, shape.inputs));
  const auto weights = noise<float>(transformed_size(shape.inputs, shape.outputs));
  Values<float> out(out_values(shape));
  const Convolution op = float_layer(shape, in, weights, out);
  measure(state, operators, shape.multiplications(),
          [&] { operators.winograd(op, 0, shape.out_size()); });
}

void int8(benchmark::State& state, const Operators& operators, const LayerShape& shape,
          bool minimal) {
  const int channels = (shape.inputs + 1) / 2 * 2, side = shape.size + 2 * shape.pad();
  const auto in = noise<Quantized>(in_values(shape, channels));
  const auto weights =
      noise<std::int8_t>(packed_size_int8(shape.window, shape.inputs, shape.outputs));
  const auto transformed =
      noise<std::int16_t>(minimal ? transformed_size_int8(shape.inputs, shape.outputs) : 0);
  const std::vector<float> scale(shape.outputs, 1e-3f), bias(shape.outputs, 0.5f);
  Values<Quantized> out(out_values(shape));
  QuantizedConvolution op;
  op.in = dense_image(in.data(), side, side, channels);
  op.out = dense_image(out.data(), shape.out_size(), shape.out_size(), shape.outputs);
  op.weights = weights.data();
  op.transformed = transformed.data();
  op.weight_inputs = shape.inputs;
  op.weight_outputs = shape.outputs;
  op.scale = scale.data();
  op.bias = bias.data();
  op.window = shape.window;
  op.stride = shape.stride;
  op.relu = true;
  measure(state, operators, shape.multiplications(), [&] {
    (minimal ? operators.quantized_winograd : operators.quantized_convolution)(op, 0,
                                                                               shape.out_size());
  });
}

/// 3 x 3 windows two apart, as behind the first and the second layer; a comparison is a
/// multiplication here.
void max_pooling(benchmark::State& state, const Operators& operators, int size, int channels) {
  const auto in = noise<float>(std::size_t(size) * size * channels);
  Values<float> out(in.size() / 4);
  const Pooling op{dense_image(in.data(), size, size, channels),
                   dense_image(out.data(), size / 2, size / 2, channels), 3, 2, 1};
  measure(state, operators, 9.0 * static_cast<double>(out.size()),
          [&] { operators.max_pooling(op, 0, size / 2); });
}

void fully_connected(benchmark::State& state, const Operators& operators, int inputs) {
  const auto in = noise<float>(inputs), weights = noise<float>(std::size_t(inputs) * 10);
  float out[10];
  measure(state, operators, 10.0 * inputs, [&] {
    operators.fully_connected(in.data(), inputs, weights.data(), nullptr, out, 10);
    benchmark::DoNotOptimize(out);
  });
}

template <class Run>
void add(const std::string& name, Run&& run) {
  benchmark::RegisterBenchmark(("ops/" + name).c_str(), run)
      ->UseManualTime()
      ->MinTime(0.2)
      ->Unit(benchmark::kMicrosecond);
}

const bool registered = [] {
  for (const char* name : {"avx2", "avx512", "neon"}) {
    const Operators* const found = find_operators(name);
    if (!found) continue;
    const auto each = [&](const char* kind, auto&& run, auto&& fits) {
      for (const LayerShape& shape : kLayers)
        if (fits(shape))
          add(std::string(name) + "/" + kind + "/" + shape.name,
              [=](benchmark::State& state) { run(state, *found, shape); });
    };
    const auto always = [](const LayerShape&) { return true; };
    each("direct", direct, always);
    const auto fits = [](const LayerShape& shape) {
      return winograd_fits(shape.window, shape.stride, shape.out_size(), shape.inputs);
    };
    each("minimal", minimal_filtering, fits);
    each(
        "int8", [](auto& state, auto& ops, auto& shape) { int8(state, ops, shape, false); },
        always);
    each(
        "int8_minimal", [](auto& state, auto& ops, auto& shape) { int8(state, ops, shape, true); },
        fits);
    add(std::string(name) + "/max_pooling/32x32x16",
        [=](benchmark::State& state) { max_pooling(state, *found, 32, 16); });
    add(std::string(name) + "/max_pooling/16x16x24",
        [=](benchmark::State& state) { max_pooling(state, *found, 16, 24); });
    add(std::string(name) + "/fully_connected/256to10",
        [=](benchmark::State& state) { fully_connected(state, *found, 256); });
  }
  return true;
}();

}  // namespace
}  // namespace flyball
