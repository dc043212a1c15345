#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "governor/compare/compare.h"
#include "governor/compare/contest.h"

namespace flyball {

/// What is known of a cell before and beside its runs, for those who print them.
struct CellContext {
  std::string platform, scenario;
  std::string inputs;   ///< hash of all that the runs depend on
  std::string profile;  ///< of an emulated platform; empty: none
  std::string belief;   ///< as asked for; empty: the truth
  bool plain_load = false;
  bool energy_wanted = true;
  std::vector<std::pair<std::string, std::string>> policy_files;  ///< "": starts untrained
  std::vector<std::string> notes;                                 ///< on what policies start from
  std::vector<std::string> footnotes;  ///< on accuracies and measured times
  std::vector<std::string> warnings;
  std::vector<std::string> recorded;  ///< policies that are recorded runs, and no simulated ones
  // Found when the cell was prepared; the same however its seeds are divided.
  bool prepared = false;
  std::vector<std::string> agents;
  std::string static_best;
  std::string no_bound_reason;
};

/// A part of the seeds: those whose number, counted over all cells, is `index` - 1 modulo `count`.
struct Shard {
  int index = 1, count = 1;
  bool has(std::size_t unit) const {
    return unit % static_cast<std::size_t>(count) == static_cast<std::size_t>(index - 1);
  }
  friend bool operator==(const Shard&, const Shard&) = default;
};

/// Comparisons of the same policies on every platform in every scenario, complete or in part.
struct MatrixResults {
  std::string build;  ///< of the program: another one may find other figures
  std::vector<std::string> policies;
  std::string against;
  int seeds = 0;
  std::uint64_t first_seed = 1;
  std::vector<std::uint64_t> seed_list;  ///< as in CompareOptions; of recorded runs alone
  bool search = false;                   ///< CompareOptions::search
  bool times = false;                    ///< has what is measured on this machine
  Shard shard;
  std::vector<CellContext> cells;
  std::map<std::pair<std::size_t, std::size_t>, SeedFigures> seeds_done;  ///< by cell and seed

  std::uint64_t seed(std::size_t s) const { return nth_seed(first_seed, seed_list, s); }
  std::size_t units() const { return cells.size() * static_cast<std::size_t>(seeds); }
  /// How many seeds the shard has in all.
  std::size_t units_of_shard() const;
  bool complete() const { return seeds_done.size() == units_of_shard(); }
  /// As one cell's comparison, with the seeds that are there.
  Comparison comparison(std::size_t cell) const;
};

/// Why two are not of one comparison; empty when they are, whatever their shards.
std::string other_comparison(const MatrixResults& one, const MatrixResults& other);

}  // namespace flyball
