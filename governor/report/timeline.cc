#include "governor/report/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "env/ledger/arrivals.h"

namespace flyball::report {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

Series series_of(const Thinner& thinner, std::size_t column, std::string name, Series::Kind kind,
                 int colour, bool dashed = false) {
  Series one{std::move(name), kind, colour, dashed};
  one.x = thinner.x();
  one.y = thinner.column(column);
  return one;
}

bool has_values(const Series& series) {
  return std::ranges::any_of(series.y, [](double value) { return !std::isnan(value); });
}

}  // namespace

Timeline::Timeline(const RecordingInfo& info, const std::vector<std::string>& apps,
                   std::size_t max_points)
    : info_(info),
      apps_(apps),
      clusters_(info.platform.clusters.size()),
      // An equal share of the points for every one of the columns below.
      clocks_(2 * clusters_, max_points / (5 * clusters_ + 5 * apps.size() + 1)),
      power_(clusters_ + 1, max_points / (5 * clusters_ + 5 * apps.size() + 1)),
      temperature_(clusters_, max_points / (5 * clusters_ + 5 * apps.size() + 1)),
      ipc_(clusters_, max_points / (5 * clusters_ + 5 * apps.size() + 1)),
      settings_(2 * apps.size(), max_points / (5 * clusters_ + 5 * apps.size() + 1)),
      jobs_(apps.size(), Thinner(3, max_points / (5 * clusters_ + 5 * apps.size() + 1))) {}

void Timeline::bind(int slot, const Binding& binding) { bound_[slot] = binding; }

std::size_t Timeline::app_of(int slot) const {
  const auto bound = bound_.find(slot);
  if (bound == bound_.end()) return apps_.size();
  return static_cast<std::size_t>(std::ranges::find(apps_, bound->second.name) - apps_.begin());
}

void Timeline::epoch(const Observation& now, const DecisionRow& row) {
  const double end_s = static_cast<double>(now.now_ns) / 1e9;
  const double begin_s = end_s - static_cast<double>(now.epoch_ns) / 1e9;
  const auto fill = [&](Thinner& thinner, double at_s, std::size_t columns,
                        const std::function<double(std::size_t)>& value) {
    row_.clear();
    for (std::size_t i = 0; i < columns; ++i) row_.push_back(value(i));
    thinner.add(at_s, row_);
  };
  const auto of = [&](std::size_t c) -> const ClusterObservation& { return now.cluster[c]; };
  fill(clocks_, end_s, 2 * clusters_, [&](std::size_t i) {
    const ClusterObservation& cluster = of(i / 2);
    return static_cast<double>(i % 2 == 0 ? cluster.asked_khz : cluster.freq_khz) / 1e3;
  });
  // A mean holds from the beginning of its epoch.
  fill(power_, begin_s, clusters_ + 1,
       [&](std::size_t c) { return c < clusters_ ? of(c).power_mw : now.power_mw; });
  fill(temperature_, end_s, clusters_, [&](std::size_t c) { return of(c).temp_c; });
  fill(ipc_, begin_s, clusters_, [&](std::size_t c) { return of(c).counters.ipc(); });
  row_.assign(2 * apps_.size(), kNone);
  for (const auto& [slot, binding] : bound_) {
    const std::size_t app = app_of(slot);
    const AppSetting& setting = row.applied.app[static_cast<std::size_t>(slot)];
    if (app >= apps_.size()) continue;
    row_[2 * app] = setting.mapping;
    if (setting.level >= binding.levels.size()) continue;
    const std::string level =
        level_text(binding.knobs, binding.levels[setting.level].knob, LevelText::kWithUnits);
    const auto known = std::ranges::find(levels_, level);
    row_[2 * app + 1] = static_cast<double>(known - levels_.begin());
    if (known == levels_.end()) levels_.push_back(level);
  }
  settings_.add(begin_s, row_);
}

void Timeline::job(const JobRecord& job) {
  const std::size_t app = app_of(job.app);
  if (app >= apps_.size() || job.dropped) return;
  const double latency_ms = static_cast<double>(job.latency_ns()) / 1e6;
  const std::array<double, 3> values{job.missed ? kNone : latency_ms,
                                     job.missed ? latency_ms : kNone,
                                     job.deadline_ns == kNeverNs
                                         ? kNone
                                         : static_cast<double>(job.deadline_ns - job.release_ns) / 1e6};
  jobs_[app].add(static_cast<double>(job.finish_ns) / 1e9, values);
}

std::vector<Figure> Timeline::figures(const std::string& id) const {
  const Axis time{"time", "s"};
  std::vector<Figure> figures;
  const auto add = [&](Figure figure, const Thinner& of) {
    std::erase_if(figure.series, [](const Series& one) { return !has_values(one); });
    if (figure.series.empty()) return;
    figure.timeline = id;
    if (of.taken() > of.x().size())
      figure.caption +=
          fmt::format(" Drawn are {} of {}: the least and the greatest values are all there.",
                      of.x().size(), of.taken());
    figures.push_back(std::move(figure));
  };
  using Kind = Series::Kind;
  const auto& clusters = info_.platform.clusters;

  Figure latency{"latency",
                 "Latency against the deadline",
                 "A point is a job, when it finished; crosses came too late.",
                 time,
                 {"latency", "ms"}};
  for (std::size_t a = 0; a < apps_.size(); ++a) {
    const int colour = static_cast<int>(a);
    latency.series.push_back(
        series_of(jobs_[a], 2, apps_[a] + " deadline", Kind::kSteps, colour, true));
    latency.series.push_back(series_of(jobs_[a], 0, apps_[a] + " in time", Kind::kPoints, colour));
    latency.series.push_back(series_of(jobs_[a], 1, apps_[a] + " missed", Kind::kPoints, -3));
  }
  add(std::move(latency), jobs_.empty() ? clocks_ : jobs_.front());

  Figure clock{"clock", "Clocks", "Dashed: asked for. Solid: delivered.", time, {"clock", "MHz"}};
  Figure power{"power", "Power", "The mean of each epoch.", time, {"power", "mW"}};
  Figure temperature{"temperature",
                     "Temperature",
                     "The hottest node of each cluster.",
                     time,
                     {"temperature", "°C"}};
  Figure ipc{"ipc",
             "Instructions per cycle",
             "Of all cores of a cluster, over each epoch.",
             time,
             {"instructions per cycle", ""}};
  for (std::size_t c = 0; c < clusters_; ++c) {
    const int colour = static_cast<int>(c);
    const std::string& name = clusters[c].name;
    clock.series.push_back(series_of(clocks_, 2 * c, name + " asked", Kind::kSteps, colour, true));
    clock.series.push_back(series_of(clocks_, 2 * c + 1, name, Kind::kSteps, colour));
    power.series.push_back(series_of(power_, c, name, Kind::kSteps, colour));
    temperature.series.push_back(series_of(temperature_, c, name, Kind::kLine, colour));
    ipc.series.push_back(series_of(ipc_, c, name, Kind::kSteps, colour));
  }
  power.series.push_back(series_of(power_, clusters_, "whole platform", Kind::kSteps, -1));
  add(std::move(clock), clocks_);

  Figure mapping{"mapping",
                 "Mapping",
                 "The cores that serve each application's next job.",
                 time,
                 {"mapping", ""}};
  Figure level{"level",
               "Level",
               "The quality that each application's next job runs with.",
               time,
               {"level", ""}};
  for (const Mapping& one : info_.platform.mappings) mapping.y.categories.push_back(one.name);
  level.y.categories = levels_;
  for (std::size_t a = 0; a < apps_.size(); ++a) {
    const int colour = static_cast<int>(a);
    mapping.series.push_back(series_of(settings_, 2 * a, apps_[a], Kind::kSteps, colour));
    level.series.push_back(series_of(settings_, 2 * a + 1, apps_[a], Kind::kSteps, colour));
  }
  add(std::move(mapping), settings_);
  add(std::move(level), settings_);
  add(std::move(power), power_);
  add(std::move(temperature), temperature_);
  add(std::move(ipc), ipc_);
  return figures;
}

}  // namespace flyball::report
