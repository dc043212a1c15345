#pragma once

#include <cstdint>
#include <vector>

namespace flyball {

/// Figures by stratum (a platform with a scenario) and seed; NaN: there is none. Strata weigh alike,
/// however many seeds they have.
using Strata = std::vector<std::vector<double>>;

/// The mean over the strata of their means; strata without a figure are left out, and without any it is
/// NaN.
double stratified_mean(const Strata& values);
/// The same of what lies between the quartiles of each stratum: a quarter of its figures is cut off at
/// either end, so that runs are trimmed and not boards, whose scales differ.
double interquartile_mean(const Strata& values);
/// The mean difference over the deviation of the differences within the strata (Cohen's d of pairs); NaN
/// where they do not vary.
double paired_effect(const Strata& differences);

struct Interval {
  double lo = 0, hi = 0;
};

/// The 95 % interval of a share, 0 to 1, seen in `count` independent cases, which need not be a whole
/// number. Exact (Clopper and Pearson 1934), so that it holds for what is rare, or nearly always so:
/// where nothing was seen it ends at 3.7 / count, the two-sided rule of three. 0 to 1 without a case.
Interval interval_of_share(double share, double count);
/// The same of the mean of the strata's shares, of figures that are 0, 1 or 1/2; NaN without a figure.
/// Strata of unlike numbers of seeds tell as much as fewer alike ones.
Interval interval_of_shares(const Strata& values);

/// Seeds drawn anew within every stratum, with replacement, once for all policies and figures: what is
/// drawn of one is drawn of all, so that what seeds have in common cancels (R. Agarwal et al., "Deep
/// reinforcement learning at the edge of the statistical precipice", NeurIPS 2021).
class StratifiedBootstrap {
 public:
  static constexpr int kResamples = 2000;

  StratifiedBootstrap(const std::vector<std::size_t>& pairs_of_strata, std::uint64_t seed = 1);

  /// 95 % percentile intervals; NaN where a stratum that has figures has fewer than two. Deviations
  /// within a stratum of n are widened by sqrt(n / (n - 1)), by which drawn ones are too small, and all
  /// as Student's t is wider than a normal distribution, with degrees of freedom by Welch and
  /// Satterthwaite. Of few seeds there are few means to draw: no end is nearer than that of t itself.
  Interval mean(const Strata& values) const;
  /// Widened alike, but for the last.
  Interval interquartile_mean(const Strata& values) const;

 private:
  std::vector<std::size_t> begin_;    ///< of every stratum in a resample, and the end
  std::vector<std::uint16_t> times_;  ///< drawn, per resample and pair
  const std::uint16_t* of(int resample) const { return times_.data() + begin_.back() * resample; }
};

/// How likely differences at least as far from 0 on the mean are when each may as well have had the other
/// sign: a test of pairs that needs no distribution. All signs are tried up to 12 differences that are not
/// 0, else 10,000 drawn ones. 1 where there is no difference; NaN without a figure.
double sign_flip_p(const Strata& differences, std::uint64_t seed = 1);

/// S. Holm, "A simple sequentially rejective multiple test procedure", 1979: adjusted so that each may be
/// held against one level, however many there are. NaNs stay and do not count.
std::vector<double> holm(const std::vector<double>& p);

}  // namespace flyball
