#include "governor/cli/views/statistic_words.h"

#include <fmt/format.h>

#include <array>

namespace flyball::cli {
namespace {

struct Statistic {
  std::string_view key, unit, formula, definition;
};

constexpr std::array<Statistic, 13> kStatistics{{
    {"mean", "the metric's", "sum over the seeds / seeds; over cells the mean of the cells' means",
     "Platforms and scenarios weigh alike, however many seeds they have. Differences of ratios "
     "over "
     "cells: geometric, in %."},
    {"ci95", "the metric's",
     "of one policy in one cell mean -+ t(0.975, n - 1) sd / sqrt(n); of differences and over "
     "cells the "
     "2.5th to 97.5th percentile of 2000 resamples, widened by sqrt(n / (n - 1)) t(0.975, n - 1) / "
     "1.96, "
     "and no end nearer than that of t itself; of shares Clopper and Pearson's, and over cells "
     "that of "
     "misses is at least as wide as a share's in as many jobs",
     "95 % interval. With two seeds t is 12.7: it is wide, since two say next to nothing of "
     "others. Seeds are drawn anew within each scenario and platform, the same for all "
     "policies "
     "and figures (paired, stratified bootstrap). Null with one seed, which says nothing of "
     "others."},
    {"worst", "the metric's", "the highest over the seeds; the lowest of what should be high",
     "Of misses and heat, which are never trimmed."},
    {"cvar10", "the metric's",
     "mean over the worst n / 10 seeds, of which the last counts in part; over cells the mean of "
     "the cells'",
     "Conditional value at risk: of misses and heat, the mean of the worst tenth of the seeds. "
     "Absent with "
     "fewer than 10 seeds, of which the worst is all that is known of the worst tenth."},
    {"iqm", "the metric's",
     "mean of what is left in each cell when its highest and lowest n / 4 are left out; over cells "
     "their "
     "mean",
     "Interquartile mean; not of misses and heat. Runs are trimmed, not boards, whose scales "
     "differ."},
    {"below", "a share, 0 to 1", "(seeds with a lower figure + ties / 2) / seeds",
     "How often the policy's figure is lower than that of the policy it is held against."},
    {"improvement", "a share, 0 to 1", "(seeds on which it is better + ties / 2) / seeds",
     "Probability of improvement over the policy that it is held against, seed by seed; over cells "
     "their mean."},
    {"effect_size", "a number", "mean difference / standard deviation of the differences",
     "Cohen's d of pairs; ratios (energy, latency, power) by the differences of their logarithms. "
     "Null "
     "where the differences do not vary."},
    {"p", "a probability",
     "share of all 2^n ways to flip the signs of the differences with a mean as far from 0",
     "Of a test that there is no difference; of more than 12 pairs that differ by 10,000 ways "
     "drawn by "
     "chance, (1 + as far) / 10,001."},
    {"p_holm", "a probability", "max over the smaller ones of p (m - rank), at most 1",
     "p corrected for the m policies that are held against one, within this metric (Holm, 1979). "
     "It is "
     "not corrected for the metrics: who looks at twenty of them finds one below 0.05 by chance "
     "alone. "
     "Decide before on which one it is."},
    {"optimality_gap_pct", "%", "100 max(0, 1 - 1 / (1 + energy_gap_to_bound_pct / 100))",
     "How much of the energy taken is above the lower bound: what is left to be gained."},
    {"performance_profiles", "a share, 0 to 1",
     "seeds on time with at most tau times the least energy of those on time / seeds",
     "Dolan and More, 2002; on time is to miss at most 1 % of the jobs that could be met."},
    {"pairs_needed", "pairs", "the least n with 2 m 2^-n < 0.05",
     "With fewer pairs no difference can be told from chance between one policy and m others."},
}};

}  // namespace

std::string explained_statistic(std::string_view key) {
  for (const Statistic& one : kStatistics)
    if (one.key == key)
      return fmt::format("{}\n  unit      {}\n  formula   {}\n  {}", one.key, one.unit, one.formula,
                         one.definition);
  return "";
}

std::string statistic_names() {
  std::string names;
  for (const Statistic& one : kStatistics) {
    if (!names.empty()) names += ", ";
    names += one.key;
  }
  return names;
}

}  // namespace flyball::cli
