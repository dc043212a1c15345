#pragma once

#include <string>
#include <vector>

#include "kernels/data/dataset.h"

namespace flyball {

/// Pictures of people's own, without labels: `labels` are all 0 and mean nothing.
struct NamedImages {
  Dataset images;
  std::vector<std::string> names;  ///< of their files
};

/// At most so many of a folder are held in memory.
inline constexpr std::size_t kMaxFolderImages = 20'000;

/// The files *.png, *.ppm and *.pgm of a folder in the order of their names, or the one file that
/// `path` is, brought to `size` and `channels`. Throws Error (kInput) for a folder without any and for
/// the first file that cannot be read.
NamedImages load_pictures(const std::string& path, int size, int channels);

}  // namespace flyball
