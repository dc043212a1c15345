#pragma once

#include <span>
#include <vector>

#include "kernels/dnn/model.h"
#include "kernels/ops/operators.h"

namespace flyball {

/// Model::activation_max from a run of the float network over `images` ([image][row][column]
/// [channel], at least one of them). Per image the largest magnitude counts, and of these the one
/// that `quantile` of the images stay below: what a rare image exceeds is clamped, which costs less
/// accuracy than coarser steps for all. `operators`: nullptr for the fastest.
std::vector<float> activation_ranges(const Model& model, std::span<const float> images,
                                     double quantile = 0.95, const Operators* operators = nullptr);

}  // namespace flyball
