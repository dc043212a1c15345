#pragma once

#include <string>

#include "kernels/data/open_data.h"

namespace flyball {

/// CIFAR-10 (Krizhevsky, 2009) in its binary version, as its page gives it: data_batch_1.bin to
/// data_batch_5.bin and test_batch.bin, each 10,000 records of a label byte and 3,072 pixel bytes,
/// red plane, green plane, blue plane.
///
/// Reads the six files of `folder`. Refuses a missing, truncated or overlong file, and one with
/// labels above 9 (CIFAR-100 has such) or that is no CIFAR-10 file at all.
LoadedTrainingData load_cifar10(const std::string& folder);

/// One of the six files. Throws Error (kInput) for what is none.
Dataset load_cifar10_file(const std::string& path);

}  // namespace flyball
