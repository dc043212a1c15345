#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include "governor/compare/contest.h"

namespace flyball {

/// A platform with a scenario, and the seeds that are to be run there, counted from 0.
struct MatrixCell {
  const PlatformSpec* platform = nullptr;
  const Scenario* scenario = nullptr;
  CompareOptions options;  ///< `threads`, `stop` and `progress` are those of the matrix
  std::vector<std::size_t> seeds;
};

/// What is told on the way, one call at a time; any may be empty.
struct MatrixProgress {
  /// Before the runs of a cell.
  std::function<void(std::size_t cell, const Contest& contest)> on_prepared;
  /// As soon as a seed is complete, in no particular order.
  std::function<void(std::size_t cell, std::size_t seed, const SeedFigures& figures)> on_seed;
  std::function<void(double done)> done;  ///< 0 to 1, on the calling thread
};

/// Runs all cells that have seeds to run. What is found depends on neither the number of threads nor on
/// which seeds of which cells are run together. Stopped, it ends soon. Throws Error, also one that a
/// function above throws.
void run_matrix(std::vector<MatrixCell> cells, unsigned threads, const std::atomic<bool>* stop,
                const MatrixProgress& progress);

}  // namespace flyball
