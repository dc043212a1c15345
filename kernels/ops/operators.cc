#include "kernels/ops/operators.h"

#include <fmt/format.h>

#include <cstdlib>

namespace flyball {

// A build has those that the processor it is for could have (kernels/CMakeLists.txt).
#ifdef FLYBALL_HAVE_AVX2
extern const Operators kAvx2Operators;
#endif
#ifdef FLYBALL_HAVE_AVX512
extern const Operators kAvx512Operators;
#endif
#ifdef FLYBALL_HAVE_NEON
extern const Operators kNeonOperators;
#endif

const Operators* avx2_operators() {
#ifdef FLYBALL_HAVE_AVX2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &kAvx2Operators;
#endif
  return nullptr;
}

const Operators* avx512_operators() {
#ifdef FLYBALL_HAVE_AVX512
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return &kAvx512Operators;
#endif
  return nullptr;
}

const Operators* neon_operators() {
#ifdef FLYBALL_HAVE_NEON
  return &kNeonOperators;
#else
  return nullptr;
#endif
}

const Operators* find_operators(std::string_view name, std::string* why) {
  const auto need = [&](const Operators* found, const char* instructions) {
    if (!found && why) *why = fmt::format("{}: this machine has no {}", name, instructions);
    return found;
  };
  if (name == "reference") return &reference_operators();
  if (name == "portable") return &portable_operators();
  if (name == "avx2") return need(avx2_operators(), "AVX2 with FMA");
  if (name == "avx512") return need(avx512_operators(), "AVX-512 F, BW, DQ and VL");
  if (name == "neon") return need(neon_operators(), "NEON (aarch64)");
  if (why) *why = fmt::format("{}: it is none of reference, portable, avx2, avx512, neon", name);
  return nullptr;
}

const Operators* choose_operators(std::string* why) {
  const char* const forced = std::getenv("FLYBALL_SIMD");
  if (forced && *forced) {
    const Operators* const found = find_operators(forced, why);
    if (!found && why) *why = "FLYBALL_SIMD=" + *why + "; unset it or name another";
    return found;
  }
  for (const auto fastest : {avx512_operators, avx2_operators, neon_operators})
    if (const Operators* const found = fastest()) return found;
  return &portable_operators();
}

void grouped_convolution(const Operators& operators, const Convolution& op, int groups) {
  Convolution one = op;
  const int inputs = op.in.channels / groups;
  const int outputs = op.out.channels / groups;
  one.weight_inputs = op.weight_inputs / groups;
  one.weight_outputs = op.weight_outputs / groups;
  const std::size_t weights = packed_size(op.window, one.weight_inputs, one.weight_outputs);
  for (int g = 0; g < groups; ++g) {
    one.in = op.in.channels_from(g * inputs, inputs);
    one.out = op.out.channels_from(g * outputs, outputs);
    one.weights = op.weights + g * weights;
    one.scale = op.scale ? op.scale + g * outputs : nullptr;
    one.bias = op.bias ? op.bias + g * outputs : nullptr;
    operators.convolution(one, 0, op.out.height);
  }
}

}  // namespace flyball
