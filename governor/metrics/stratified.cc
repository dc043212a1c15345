#include "governor/metrics/stratified.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/special_functions/beta.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/base/random.h"

namespace flyball {
namespace {

constexpr double kNoMean = std::numeric_limits<double>::quiet_NaN();
constexpr Interval kNoInterval{kNoMean, kNoMean};

struct Moments {
  double mean = kNoMean, squares = 0;
  std::size_t count = 0;
};
Moments moments_of(const std::vector<double>& values) {
  Moments m;
  double sum = 0;
  for (const double value : values)
    if (std::isfinite(value)) sum += value, ++m.count;
  if (m.count == 0) return m;
  m.mean = sum / static_cast<double>(m.count);
  for (const double value : values)
    if (std::isfinite(value)) m.squares += (value - m.mean) * (value - m.mean);
  return m;
}

/// Of values in ascending order, each so many times.
double trimmed_mean(const std::vector<std::pair<double, std::size_t>>& values,
                    const std::uint16_t* times) {
  std::size_t all = 0;
  for (const auto& [value, i] : values) all += times == nullptr ? 1 : times[i];
  const std::size_t cut = all / 4;
  std::size_t passed = 0;
  double sum = 0;
  for (const auto& [value, i] : values) {
    const std::size_t next = passed + (times == nullptr ? 1 : times[i]);
    const std::size_t from = std::max(passed, cut), to = std::min(next, all - cut);
    if (to > from) sum += value * static_cast<double>(to - from);
    passed = next;
  }
  return all > 0 ? sum / static_cast<double>(all - 2 * cut) : kNoMean;
}

/// Of each stratum, with their places among all; strata without a figure are left out.
std::vector<std::vector<std::pair<double, std::size_t>>> ascending(const Strata& values) {
  std::vector<std::vector<std::pair<double, std::size_t>>> strata;
  std::size_t i = 0;
  for (const auto& stratum : values) {
    auto& sorted = strata.emplace_back();
    for (const double value : stratum) {
      if (std::isfinite(value)) sorted.emplace_back(value, i);
      ++i;
    }
    std::ranges::sort(sorted);
    if (sorted.empty()) strata.pop_back();
  }
  return strata;
}

double mean_trimmed(const std::vector<std::vector<std::pair<double, std::size_t>>>& strata,
                    const std::uint16_t* times) {
  double sum = 0, count = 0;
  for (const auto& stratum : strata) {
    const double mean = trimmed_mean(stratum, times);
    if (std::isfinite(mean)) sum += mean, ++count;
  }
  return count > 0 ? sum / count : kNoMean;
}

/// Of the mean over the strata: its standard error and Student's quantile.
struct Student {
  double error = 0, t = kNormal;
  static constexpr double kNormal = 1.959963984540054;
};
Student student_of(const Strata& values) {
  double variance = 0, squares = 0, strata = 0;
  for (const auto& stratum : values) {
    const Moments m = moments_of(stratum);
    if (m.count == 0) continue;
    ++strata;
    if (m.count < 2) continue;
    const auto n = static_cast<double>(m.count);
    const double own = m.squares / (n - 1) / n;
    variance += own;
    squares += own * own / (n - 1);
  }
  if (!(variance > 0)) return {};
  const boost::math::students_t t(variance * variance / squares);
  return {std::sqrt(variance) / strata, boost::math::quantile(t, 0.975)};
}

/// Drawn deviations as far from `from` as Student's t makes them, and at least `least`.
Interval widened(const Interval& drawn, double from, double times, double least) {
  return {from - std::max(times * (from - drawn.lo), least),
          from + std::max(times * (drawn.hi - from), least)};
}

bool varies(const Strata& values) {
  bool some = false;
  for (const auto& stratum : values) {
    const auto figures = std::ranges::count_if(stratum, [](double v) { return std::isfinite(v); });
    if (figures == 1) return false;
    some = some || figures > 1;
  }
  return some;
}

Interval percentiles(std::vector<double> drawn) {
  std::erase_if(drawn, [](double value) { return !std::isfinite(value); });
  if (drawn.empty()) return kNoInterval;
  std::ranges::sort(drawn);
  const double last = static_cast<double>(drawn.size() - 1);
  return {drawn[static_cast<std::size_t>(0.025 * last)],
          drawn[static_cast<std::size_t>(std::ceil(0.975 * last))]};
}

}  // namespace

double stratified_mean(const Strata& values) {
  double sum = 0, strata = 0;
  for (const auto& stratum : values) {
    const Moments m = moments_of(stratum);
    if (m.count > 0) sum += m.mean, ++strata;
  }
  return strata > 0 ? sum / strata : kNoMean;
}

double interquartile_mean(const Strata& values) { return mean_trimmed(ascending(values), nullptr); }

Interval interval_of_share(double share, double count) {
  constexpr double kTail = 0.025;
  if (!(count > 0)) return {0, 1};
  const double events = share * count, others = count - events;
  return {events > 0 ? boost::math::ibeta_inv(events, others + 1, kTail) : 0,
          others > 0 ? boost::math::ibetac_inv(events + 1, others, kTail) : 1};
}

Interval interval_of_shares(const Strata& values) {
  double strata = 0, inverse = 0;
  for (const auto& stratum : values) {
    const Moments m = moments_of(stratum);
    if (m.count > 0) ++strata, inverse += 1 / static_cast<double>(m.count);
  }
  if (strata == 0) return kNoInterval;
  return interval_of_share(std::clamp(stratified_mean(values), 0.0, 1.0),
                           strata * strata / inverse);
}

double paired_effect(const Strata& differences) {
  double variance = 0, strata = 0;
  for (const auto& stratum : differences) {
    const Moments m = moments_of(stratum);
    if (m.count < 2) continue;
    variance += m.squares / static_cast<double>(m.count - 1);
    ++strata;
  }
  return variance > 0 ? stratified_mean(differences) / std::sqrt(variance / strata) : kNoMean;
}

StratifiedBootstrap::StratifiedBootstrap(const std::vector<std::size_t>& pairs_of_strata,
                                         std::uint64_t seed) {
  begin_.push_back(0);
  for (const std::size_t pairs : pairs_of_strata) begin_.push_back(begin_.back() + pairs);
  times_.assign(begin_.back() * kResamples, 0);
  Random random(seed);
  for (int r = 0; r < kResamples; ++r) {
    std::uint16_t* const times = times_.data() + begin_.back() * static_cast<std::size_t>(r);
    for (std::size_t s = 0; s + 1 < begin_.size(); ++s) {
      const std::size_t pairs = begin_[s + 1] - begin_[s];
      for (std::size_t i = 0; i < pairs; ++i)
        ++times[begin_[s] + random.below(static_cast<std::uint32_t>(pairs))];
    }
  }
}

Interval StratifiedBootstrap::mean(const Strata& values) const {
  if (!varies(values)) return kNoInterval;
  std::vector<double> drawn;
  drawn.reserve(kResamples);
  std::vector<Moments> found;
  for (const auto& stratum : values) found.push_back(moments_of(stratum));
  for (int r = 0; r < kResamples; ++r) {
    const std::uint16_t* const times = of(r);
    double sum = 0, strata = 0;
    for (std::size_t s = 0; s < values.size(); ++s) {
      if (found[s].count == 0) continue;
      double of_stratum = 0, count = 0;
      for (std::size_t i = 0; i < values[s].size(); ++i) {
        const double value = values[s][i];
        if (!std::isfinite(value)) continue;
        of_stratum += times[begin_[s] + i] * value;
        count += times[begin_[s] + i];
      }
      const auto n = static_cast<double>(found[s].count);
      const double mean = count > 0 ? of_stratum / count : found[s].mean;
      sum += found[s].mean + std::sqrt(n / (n - 1)) * (mean - found[s].mean);
      ++strata;
    }
    drawn.push_back(sum / strata);
  }
  const Student student = student_of(values);
  return widened(percentiles(std::move(drawn)), stratified_mean(values),
                 student.t / Student::kNormal, student.t * student.error);
}

Interval StratifiedBootstrap::interquartile_mean(const Strata& values) const {
  if (!varies(values)) return kNoInterval;
  const auto strata = ascending(values);
  std::vector<double> drawn;
  drawn.reserve(kResamples);
  for (int r = 0; r < kResamples; ++r) drawn.push_back(mean_trimmed(strata, of(r)));
  double figures = 0;
  for (const auto& stratum : strata) figures += static_cast<double>(stratum.size());
  const double spread = std::sqrt(figures / (figures - static_cast<double>(strata.size())));
  return widened(percentiles(std::move(drawn)), mean_trimmed(strata, nullptr),
                 spread * student_of(values).t / Student::kNormal, 0);
}

double sign_flip_p(const Strata& differences, std::uint64_t seed) {
  constexpr int kAllOf = 12, kDrawn = 10'000;
  std::vector<double> parts;  // what each adds to the mean over the strata
  double sum = 0;
  bool some = false;
  for (const auto& stratum : differences) {
    const Moments m = moments_of(stratum);
    for (const double value : stratum) {
      if (!std::isfinite(value)) continue;
      some = true;
      const double part = value / static_cast<double>(m.count);
      sum += part;
      if (part != 0) parts.push_back(part);
    }
  }
  if (!some) return kNoMean;
  if (parts.empty()) return 1;
  // Sums of the same parts in another order may differ in their last digits.
  const double size = std::accumulate(parts.begin(), parts.end(), 0.0,
                                      [](double all, double part) { return all + std::abs(part); });
  const double limit = std::abs(sum) - 1e-12 * size;
  const auto n = parts.size();
  if (n <= kAllOf) {
    int as_far = 0;
    for (unsigned signs = 0; signs < (1u << n); ++signs) {
      double flipped = 0;
      for (std::size_t i = 0; i < n; ++i) flipped += (signs >> i & 1) != 0 ? -parts[i] : parts[i];
      as_far += std::abs(flipped) >= limit;
    }
    return static_cast<double>(as_far) / static_cast<double>(1u << n);
  }
  Random random(seed);
  int as_far = 0;
  for (int r = 0; r < kDrawn; ++r) {
    double flipped = 0;
    std::uint64_t signs = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (i % 64 == 0) signs = random.next();
      flipped += (signs >> (i % 64) & 1) != 0 ? -parts[i] : parts[i];
    }
    as_far += std::abs(flipped) >= limit;
  }
  return (1.0 + as_far) / (1.0 + kDrawn);
}

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < p.size(); ++i)
    if (std::isfinite(p[i])) order.push_back(i);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return p[i]; });
  std::vector<double> adjusted(p.size(), kNoMean);
  double highest = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const double scaled = std::min(1.0, p[order[rank]] * static_cast<double>(order.size() - rank));
    highest = std::max(highest, scaled);
    adjusted[order[rank]] = highest;
  }
  return adjusted;
}

}  // namespace flyball
