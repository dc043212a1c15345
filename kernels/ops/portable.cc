#include <cstddef>

#include "kernels/ops/operators.h"

namespace flyball {
namespace {

constexpr int kLanes = 4;
#include "kernels/ops/blocked.h"

}  // namespace

const Operators& portable_operators() {
  static constexpr Operators kOperators = {"portable",      convolution,     max_pooling,
                                           average_pooling, fully_connected, relu,
                                           scale_bias,      softmax};
  return kOperators;
}

}  // namespace flyball
