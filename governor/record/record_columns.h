#pragma once

#include <string>
#include <vector>

#include "governor/record/recording.h"
#include "governor/record/table_writer.h"

namespace flyball {

/// The two tables of a recording, of its epochs and of its jobs. Everything about the columns comes
/// from the tables of monitors and knobs.
class RecordColumns {
 public:
  /// Reads the recording once: whoever comes has columns from the first line on.
  explicit RecordColumns(const std::string& recording);

  const RecordingInfo& info() const { return info_; }
  void bind(int slot, const Binding& binding);
  void unbind(int slot);
  void unbind_all();

  void epoch_header(TableWriter& out) const;
  void epoch_line(TableWriter& out, const Observation& now, const DecisionRow& row);
  /// Applications with knobs of the same name share a column.
  void jobs_header(TableWriter& out);
  void job_line(TableWriter& out, const JobRecord& job) const;

  /// Who has a slot, or had it last; nullptr when nobody has.
  const Binding* binding_of(int slot) const;
  /// Fills both tables; either may be nullptr.
  RecordingReport write(const std::string& recording, TableWriter* epochs, TableWriter* jobs);

 private:
  /// The columns of one application in one slot; empty in the epochs in which somebody else has it.
  struct AppColumns {
    int slot = 0;
    Binding binding;  ///< the latest of that name
    std::vector<Monitor> rows;
    std::vector<KnobSpec> knobs;
    bool bound = false;
  };

  const AppColumns* of_slot(int slot) const;
  void monitor_cell(TableWriter& out, const Monitor& row, const Observation& now);
  void forecast_cells(TableWriter& out, const Decision& decision, bool recorded) const;
  static std::string value_of(const AppColumns& app, const JobRecord& job, const std::string& name);

  RecordingInfo info_;
  std::vector<Monitor> platform_rows_;
  std::vector<KnobSpec> knobs_;
  std::vector<AppColumns> apps_;
  std::vector<std::string> job_knobs_;  ///< columns of the jobs
  Reward reward_;
  std::string held_;  ///< monitors of the epoch that is written
};

}  // namespace flyball
