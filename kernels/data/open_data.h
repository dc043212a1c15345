#pragma once

#include <cstdint>
#include <string>

#include "kernels/data/dataset.h"

namespace flyball {

struct LoadedTrainingData {
  std::optional<TrainingData> data;
  std::string error;  ///< "what: why; what to do" when there is no data
};

/// `source`: "procedural" (so many training images of this seed, and the test set that is the same
/// for all), or "cifar10:DIR" (the first `images` of its training set; 0: all of them).
LoadedTrainingData open_training_data(const std::string& source, std::size_t images,
                                      std::uint64_t seed);

}  // namespace flyball
