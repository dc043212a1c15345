#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "kernels/base/bytes.h"

namespace flyball {

/// What a cluster is, whatever it is called: by this the clusters of two boards are told to be alike.
struct ClusterMeaning {
  std::string name;
  bool is_cpu = true;
  double peak = 1;  ///< speed of a core at its highest clock; 1 is the board's fastest CPU
};

std::vector<ClusterMeaning> meanings_of(const PlatformSpec& board);
void save_meanings(const std::vector<ClusterMeaning>& clusters, ByteWriter& out);
std::size_t saved_bytes(const std::vector<ClusterMeaning>& clusters);
/// Throws Error (kInput) on what is none.
std::vector<ClusterMeaning> load_meanings(ByteReader& in);

/// Per cluster of `own` the one of `theirs` that is most like it: of the same kind, and nearest in speed
/// by ratio; of equals the first. -1 where there is none of its kind.
std::vector<int> alike(const std::vector<ClusterMeaning>& own,
                       const std::vector<ClusterMeaning>& theirs);

/// Of the cores that each mapping takes, in order: what is learned by mapping means nothing of others.
std::uint64_t hash_of(const std::vector<Mapping>& mappings);

/// How far two boards deviate alike from what their files say: a correlation. Assumed; what makes
/// files wrong is half of it the same everywhere (energy models that overstate small cores, voltages
/// that are guessed), half of it the chip's own.
inline constexpr double kAlikeCorrelation = 0.7;

/// A number of which this board's file says `prior`, with so much variance, and another board's was off
/// its file by `off`, which is known up to `off_variance`.
struct Transferred {
  double mean, variance;
};
Transferred transferred(double prior, double variance, double off, double off_variance);

}  // namespace flyball
