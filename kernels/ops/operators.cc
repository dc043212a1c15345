#include "kernels/ops/operators.h"

#include <fmt/format.h>

#include <cstdlib>

namespace flyball {

#ifdef FLYBALL_HAVE_AVX2
extern const Operators kAvx2Operators;
#endif

const Operators* avx2_operators() {
#ifdef FLYBALL_HAVE_AVX2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &kAvx2Operators;
#endif
  return nullptr;
}

const Operators* find_operators(std::string_view name, std::string* why) {
  if (name == "reference") return &reference_operators();
  if (name == "portable") return &portable_operators();
  if (name == "avx2") {
    const Operators* const found = avx2_operators();
    if (!found && why) *why = "this machine has no AVX2 with FMA";
    return found;
  }
  if (why) *why = fmt::format("'{}' is none of reference, portable, avx2", name);
  return nullptr;
}

const Operators* choose_operators(std::string* why) {
  const char* const forced = std::getenv("FLYBALL_SIMD");
  if (forced && *forced) {
    const Operators* const found = find_operators(forced, why);
    if (!found && why) *why = "FLYBALL_SIMD: " + *why + "; unset it or name another";
    return found;
  }
  if (const Operators* const fastest = avx2_operators()) return fastest;
  return &portable_operators();
}

void grouped_convolution(const Operators& operators, const Convolution& op, int groups) {
  Convolution one = op;
  const int inputs = op.in.channels / groups;
  const int outputs = op.out.channels / groups;
  const std::ptrdiff_t weights = std::ptrdiff_t{op.window} * op.window * inputs * outputs;
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
