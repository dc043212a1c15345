#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "governor/record/recording.h"
#include "governor/report/figure.h"
#include "governor/report/thinner.h"

namespace flyball::report {

/// Makes figures over time of a recording while it is read, thinned to at most `max_points` values.
class Timeline {
 public:
  /// `apps`: the names of all that will come.
  Timeline(const RecordingInfo& info, const std::vector<std::string>& apps, std::size_t max_points);

  void bind(int slot, const Binding& binding);
  void unbind(int slot) { bound_.erase(slot); }
  void epoch(const Observation& now, const DecisionRow& row);
  void job(const JobRecord& job);

  /// Those with something in them; `id` joins them.
  std::vector<Figure> figures(const std::string& id) const;

 private:
  std::size_t app_of(int slot) const;  ///< index into apps_; apps_.size() when unknown

  const RecordingInfo& info_;
  std::vector<std::string> apps_;
  std::map<int, Binding> bound_;
  std::vector<std::string> levels_;  ///< in the order in which they were seen
  std::size_t clusters_;
  Thinner clocks_, power_, temperature_, ipc_, settings_;
  std::vector<Thinner> jobs_;  ///< of each application: latency, of it missed, deadline
  std::vector<double> row_;
};

}  // namespace flyball::report
