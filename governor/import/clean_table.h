#pragma once

#include <string>
#include <vector>

#include "governor/import/flags.h"

namespace flyball {

/// A table of measurements without its disturbed rows.
struct CleanTable {
  std::string text;  ///< that 'fit --data' reads
  std::size_t rows = 0, kept = 0;
  std::vector<std::string> notes;
};

/// Reads tables as 'fit' does, freqbench's or others, and flags the rows that it would not use: what
/// cannot be true, or lies far off the law that the others follow.
CleanTable clean_table(const std::vector<std::string>& files, ImportFlags& flags);

}  // namespace flyball
