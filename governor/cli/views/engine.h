#pragma once

#include <memory>
#include <string>

#include "governor/cli/json.h"
#include "governor/cli/table.h"
#include "governor/machine/inference_engine.h"

namespace flyball::cli {

/// Runs the model on images with known answers where there are any for it. Throws Error.
std::unique_ptr<InferenceEngine> make_engine(const Model& model);

/// "Operators: avx2 (FLYBALL_SIMD can force reference, portable)."
std::string operators_note(const Network& network);

/// Time of one inference per width, precision and CPUs.
Table timing_table(const EngineCalibration& calibration, const Network& network);
Json timing_json(const EngineCalibration& calibration, const Network& network);

}  // namespace flyball::cli
