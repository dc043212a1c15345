#pragma once

#include <array>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "governor/metrics/forecast_score.h"
#include "governor/metrics/histogram.h"
#include "governor/metrics/monitor_figures.h"
#include "governor/record/recording.h"

namespace flyball {

/// What happened in a run, in figures for one screen. NaN where there is none.
struct RecordingSummary {
  struct Cluster {
    std::string name;
    double temp_min_c = std::numeric_limits<double>::quiet_NaN();
    double temp_max_c = std::numeric_limits<double>::quiet_NaN();
    double power_mean_mw = std::numeric_limits<double>::quiet_NaN();
    double clock_mean_mhz = std::numeric_limits<double>::quiet_NaN();
    std::uint64_t clock_changes = 0;
  };
  RecordingReport report;
  std::vector<std::string> apps;  ///< in the order in which they came
  double duration_s = 0;          ///< of the epochs that can be read
  double energy_mj = 0;
  std::uint64_t finished = 0, missed = 0, dropped = 0, infeasible = 0;  ///< jobs
  std::uint64_t explored = 0, replaced = 0;  ///< decisions; those that the shield changed
  DurationHistogram latency;
  double accuracy_pct = std::numeric_limits<double>::quiet_NaN();  ///< mean over finished jobs
  ForecastScore forecasts;
  std::vector<Cluster> clusters;
  std::vector<MonitorFigure> monitors;  ///< that people look at

  std::uint64_t jobs() const { return finished + dropped; }
  double miss_pct() const;
  double energy_mj_per_job() const;
  double latency_ms(double percent) const;
};

/// Takes in a run as read_recording tells it.
class SummaryReader {
 public:
  void begin(const RecordingInfo& info);
  void epoch(const Observation& now, const DecisionRow& row);
  void job(const JobRecord& job);
  void bind(int slot, const Binding& binding, const Observation& now);
  void unbind(int slot);
  RecordingSummary finish(RecordingReport report);

 private:
  struct Cluster {
    double mw_ns = 0, khz_ns = 0;
    double temp_min_c = std::numeric_limits<double>::infinity(), temp_max_c = -temp_min_c;
    std::int64_t khz = 0;
    std::uint64_t changes = 0;
  };
  RecordingSummary summary_;
  std::array<Cluster, kMaxClusters> clusters_{};
  std::optional<MonitorFigures> monitors_;
  double elapsed_ns_ = 0, accuracy_sum_ = 0;
};

RecordingSummary summarise(const std::string& recording);

}  // namespace flyball
