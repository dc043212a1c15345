#pragma once

#include <cstddef>
#include <optional>

#include "governor/machine/inference_engine.h"
#include "kernels/dnn/model.h"

namespace flyball {

/// Images with known answers for the jobs of a model that was trained to tell the procedural ones
/// apart: the first `count` of its test set. Nothing for any other model: on images of another kind
/// its answers would say nothing. 2000 images are 24 MB and 0.1 s; what all of them show is within
/// a point of what the whole set of 5000 does.
std::optional<LabelledImages> monitor_images(const Model& model, std::size_t count = 2000);

}  // namespace flyball
