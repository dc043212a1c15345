#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/training/recipe.h"

namespace flyball {

/// All that a training needs to go on as if it had never stopped.
struct TrainingCheckpoint {
  Recipe recipe;
  std::uint32_t phase = 0, epoch = 0, step = 0;
  std::uint32_t stale = 0;  ///< epochs without a better validation
  double best_pct = -1;     ///< validation of `best`
  double loss_sum = 0, hits = 0;
  std::vector<float> parameters;  ///< of the network, as far as phases are over
  std::vector<float> best;        ///< the same with the best of this phase; may be empty
  std::vector<float> learning;    ///< tensors of the tower and its optimiser, one after the other
  std::uint64_t optimiser_steps = 0;
};

/// Little-endian: magic "FLYBTRN\n", u32 version, the fields (lists with a u64 length before them,
/// the recipe as lines "name=value"), u32 CRC-32C of all that. Written beside `path`, synced,
/// renamed. Returns an empty string, or "path: why; what to do".
std::string write_checkpoint(const TrainingCheckpoint& checkpoint, const std::string& path);

/// Refuses what is damaged, truncated, of another version, or no checkpoint.
std::string read_checkpoint(const std::string& path, TrainingCheckpoint& checkpoint);

}  // namespace flyball
