// Compiled with -mavx2 -mfma on x86; nothing here may run before avx2_operators() has looked at the
// CPU.
#include <cstddef>

#include "kernels/ops/operators.h"

namespace flyball {
#if defined(__AVX2__) && defined(__FMA__)
namespace {

constexpr int kLanes = 8;
#include "kernels/ops/blocked.h"

}  // namespace

extern constinit const Operators kAvx2Operators;
constinit const Operators kAvx2Operators = {
    "avx2", convolution, max_pooling, average_pooling, fully_connected, relu, scale_bias, softmax};
#endif
}  // namespace flyball
