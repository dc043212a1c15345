#pragma once

#include <functional>
#include <vector>

#include "kernels/data/dataset.h"
#include "kernels/dnn/network.h"

namespace flyball {

/// Top-1 accuracy in percent at each width, from one inference per image as an application would
/// do it. The data must have the network's image shape and at least one image. `after_width` is
/// called when a width is done.
std::vector<float> measure_top1(const Network& network, Precision precision, const Dataset& data,
                                const std::function<void()>& after_width = {});

/// The first `images` images as a network sees them, one after the other.
std::vector<float> normalised_images(const Dataset& data, std::size_t images);

}  // namespace flyball
