#include "governor/cli/views/learning_curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "governor/cli/table.h"

namespace flyball::cli {
namespace {

struct Sample {
  double mean = 0;
  double variance_of_mean = 0;
};

Sample sample(const double* values, int count) {
  Sample of;
  for (int i = 0; i < count; ++i) of.mean += values[i] / count;
  double squares = 0;
  for (int i = 0; i < count; ++i) squares += (values[i] - of.mean) * (values[i] - of.mean);
  of.variance_of_mean = squares / (count - 1) / count;
  return of;
}

}  // namespace

void LearningCurve::add(int scenario, const Metrics& metrics) {
  ++done_;
  ++in_point_;
  rewards_[static_cast<std::size_t>(scenario)].push_back(metrics.reward);
  sum_.energy_mj_per_job += metrics.energy_mj_per_job;
  sum_.deadline_miss_pct += metrics.deadline_miss_pct;
  sum_.reward += metrics.reward;
  const int tenth = static_cast<int>(10LL * done_ / episodes_);
  if (tenth == tenth_ && done_ != episodes_) return;
  tenth_ = tenth;
  end_point();
}

void LearningCurve::finish() {
  if (in_point_ > 0) end_point();
}

void LearningCurve::end_point() {
  points_.push_back({done_, sum_.energy_mj_per_job / in_point_, sum_.deadline_miss_pct / in_point_,
                     sum_.reward / in_point_});
  if (print_) print(points_.back());
  sum_ = {};
  in_point_ = 0;
}

void LearningCurve::print(const Point& point) const {
  std::string text;
  if (points_.size() == 1) {
    text = fmt::format("{:>9}  {:>9}  {:>9}  {:>11}\n", "episodes", "energy", "missed", "reward");
    text += fmt::format("{:>9}  {:>9}  {:>9}  {:>11}\n", "", "mJ/job", "% of jobs", "per episode");
    text += std::string(44, '-') + '\n';
  }
  text += fmt::format("{:>9}  {:>9}  {:>9}  {:>11}\n", point.episodes,
                      fixed(point.energy_mj_per_job, 2), fixed(point.deadline_miss_pct, 2),
                      fixed(point.reward, 1));
  progress_.print_above(text);
}

/// The first tenth of the episodes against the last one, of each scenario by itself: their rewards
/// differ more than training changes them. The interval is Student's, with the fewest degrees of
/// freedom that Welch's formula can give.
LearningCurve::Gain LearningCurve::gain() const {
  Gain gain;
  std::size_t fewest = rewards_[0].size();
  for (const std::vector<double>& rewards : rewards_) fewest = std::min(fewest, rewards.size());
  if (fewest < 4) return gain;
  gain.episodes = std::max(2, static_cast<int>(fewest / 10));
  gain.flat = true;
  double variance = 0;
  const double scenarios = static_cast<double>(rewards_.size());
  for (const std::vector<double>& rewards : rewards_) {
    const Sample first = sample(rewards.data(), gain.episodes);
    const Sample last = sample(rewards.data() + rewards.size() - gain.episodes, gain.episodes);
    gain.reward.mean += (last.mean - first.mean) / scenarios;
    variance += (last.variance_of_mean + first.variance_of_mean) / (scenarios * scenarios);
    gain.flat = gain.flat && std::all_of(rewards.begin(), rewards.end(),
                                         [&](double r) { return r == rewards.front(); });
  }
  const double t = boost::math::quantile(boost::math::students_t(gain.episodes - 1), 0.975);
  const double half = t * std::sqrt(variance);
  gain.reward.lo = gain.reward.mean - half;
  gain.reward.hi = gain.reward.mean + half;
  return gain;
}

std::string LearningCurve::slope() const {
  const Gain is = gain();
  if (is.episodes == 0) return "The curve has no slope: that takes four episodes of each scenario.";
  if (is.flat) return "The curve is flat: every episode had the same reward.";
  return fmt::format(
      "While it learned, trying things out, the reward of an episode {} by {} from the first {} "
      "episodes of each scenario to the last {} (95 % interval of the change: {} to {}).",
      is.reward.mean >= 0 ? "rose" : "fell", fixed(std::abs(is.reward.mean), 2), is.episodes,
      is.episodes, fixed(is.reward.lo, 2), fixed(is.reward.hi, 2));
}

Json LearningCurve::points_json() const {
  Json points = Json::array();
  for (const Point& point : points_) {
    points.push_back({{"episodes", point.episodes},
                      {"energy_mj_per_job", number_or_null(point.energy_mj_per_job)},
                      {"deadline_miss_pct", number_or_null(point.deadline_miss_pct)},
                      {"reward", number_or_null(point.reward)}});
  }
  return points;
}

Json LearningCurve::gain_json() const {
  const Gain is = gain();
  if (is.episodes == 0)
    return {{"mean", nullptr}, {"ci95", nullptr}, {"episodes", 0}, {"slope", slope()}};
  return {{"mean", is.reward.mean},
          {"ci95", {is.reward.lo, is.reward.hi}},
          {"episodes", is.episodes},
          {"slope", slope()}};
}

}  // namespace flyball::cli
