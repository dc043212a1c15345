#pragma once

#include <string>
#include <vector>

#include "kernels/dnn/model.h"

namespace flyball {

/// How one width and precision of a model computes here.
struct LevelCheck {
  int width = 0;
  Precision precision = Precision::kFloat32;
  bool same_bits = false;  ///< with one thread and with two
  struct Deviation {
    std::string operators;
    double largest = 0;  ///< of a logit from the reference's, relative to its largest, at least 1
  };
  std::vector<Deviation> deviations;  ///< of every implementation that this machine can run
  bool finite = true;                 ///< every answer of each of them

  static constexpr double kTolerance = 1e-4;
  bool good() const;
};

/// A few inferences at every width and precision, for whoever takes what a model promises. Throws
/// Error (kFailure) that names the first whose answer is not finite: such a model has overflowed, and
/// its class is no answer.
void check_answers(const Model& model, const std::string& name = "model");

/// Runs every width and precision on a few images with every implementation of the operators and
/// with one and two threads. Throws std::system_error where no thread can be started.
std::vector<LevelCheck> check_levels(const Model& model);

}  // namespace flyball
