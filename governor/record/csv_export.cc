#include <algorithm>

#include "agents/explain.h"
#include "governor/record/csv_file.h"
#include "governor/record/recording.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"

namespace flyball {
namespace {

// How a file of ours begins, whatever columns another version has.
constexpr OutputKind kEpochsOutput{"a CSV file of epochs that 'export' made",
                                   "epoch,end_ns,epoch_ns,"};
constexpr OutputKind kJobsOutput{"a CSV file of jobs that 'export' made", "app,job,release_ns,"};

/// Of a monitor or of a platform's knob; a mapping has a name.
std::string column_name(const std::string& name, const std::string& unit) {
  return name + (unit == "cores" ? "" : unit_suffix(unit));
}

std::vector<Monitor> shown_rows(const std::vector<Monitor>& rows) {
  std::vector<Monitor> shown;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(shown),
               [](const Monitor& row) { return row.shown; });
  return shown;
}

/// The columns of one application in one slot; empty in the epochs in which somebody else has it.
struct AppColumns {
  int slot = 0;
  Binding binding;  ///< the latest of that name
  std::vector<Monitor> rows;
  std::vector<KnobSpec> knobs;
  bool bound = false;
};

/// Everything about the columns comes from the tables of monitors and knobs.
class Columns {
 public:
  explicit Columns(const RecordingInfo& info)
      : info_(info),
        platform_rows_(shown_rows(MonitorTable(info.platform, info.weights, info.measured).rows())),
        knobs_(knobs_of(info.platform)) {}

  void bind(int slot, const Binding& binding) {
    unbind(slot);
    const auto same = std::find_if(apps_.begin(), apps_.end(), [&](const AppColumns& app) {
      return app.slot == slot && app.binding.name == binding.name &&
             app.binding.knobs == binding.knobs;
    });
    AppColumns& app = same == apps_.end() ? apps_.emplace_back() : *same;
    app.slot = slot;
    app.binding = binding;
    app.bound = true;
    MonitorTable table(info_.platform, info_.weights, info_.measured);
    const auto platform_rows = static_cast<std::ptrdiff_t>(table.rows().size());
    table.bind(slot, binding, {});
    app.rows = shown_rows({table.rows().begin() + platform_rows, table.rows().end()});
    app.knobs = knobs_of(info_.platform, slot, binding);
  }
  void unbind(int slot) {
    for (AppColumns& app : apps_)
      if (app.slot == slot) app.bound = false;
  }
  void unbind_all() {
    for (AppColumns& app : apps_) app.bound = false;
  }
  const AppColumns* of_slot(int slot) const {
    for (const AppColumns& app : apps_)
      if (app.bound && app.slot == slot) return &app;
    return nullptr;
  }

  void epoch_header(CsvFile& csv) const {
    for (const char* name : {"epoch", "end_ns", "epoch_ns", "decide_ns", "reward", "cost_energy",
                             "cost_misses", "cost_accuracy", "cost_budget", "cost_heat", "cost_latency"})
      csv.text(name);
    for (const Monitor& row : platform_rows_) csv.text(column_name(row.name, row.unit));
    for (const AppColumns& app : apps_)
      for (const Monitor& row : app.rows) csv.text(column_name(row.name, row.unit));
    for (const char* prefix : {"decided.", "applied."}) {
      knob_names(csv, prefix, knobs_);
      for (const AppColumns& app : apps_) knob_names(csv, prefix, app.knobs);
    }
    for (const char* name :
         {"verdict", "fresh", "explored", "probability", "expected_reward", "why"})
      csv.text(name);
    csv.end_line();
  }

  void epoch_line(CsvFile& csv, const Observation& now, const DecisionRow& row) {
    judge(info_.weights, now, reward_);
    const RewardParts sum = reward_.sum();
    csv.cell(now.sequence).cell(now.now_ns).cell(now.epoch_ns);
    row.recorded ? csv.cell(row.decide_ns) : csv.empty();
    csv.cell(sum.total()).cell(sum.energy).cell(sum.misses).cell(sum.accuracy);
    csv.cell(sum.budget).cell(sum.heat).cell(sum.latency);
    for (const Monitor& monitor : platform_rows_) csv.cell(flyball::read(monitor, now).value);
    for (const AppColumns& app : apps_)
      for (const Monitor& monitor : app.rows)
        app.bound ? csv.cell(flyball::read(monitor, now).value) : csv.empty();
    for (const Action* action : {&row.decision.action, &row.applied}) {
      knob_values(csv, knobs_, *action, true);
      for (const AppColumns& app : apps_) knob_values(csv, app.knobs, *action, app.bound);
    }
    csv.text(verdict_name(row.verdict));
    if (row.recorded) {
      const AppColumns* app = of_slot(row.decision.reason.index);
      csv.cell(row.decision.fresh).cell(row.decision.explored()).cell(row.executed_probability());
      csv.cell(row.decision.value);
      csv.text(explain(row.decision, info_.platform, app ? app->binding : Binding()));
    } else {
      for (int i = 0; i < 5; ++i) csv.empty();
    }
    csv.end_line();
  }

  /// Applications with knobs of the same name share a column.
  void jobs_header(CsvFile& csv) {
    for (const AppColumns& app : apps_)
      for (const QualityKnob& knob : app.binding.knobs)
        if (const std::string name = column_name(knob);
            std::find(job_knobs_.begin(), job_knobs_.end(), name) == job_knobs_.end())
          job_knobs_.push_back(name);
    for (const char* name : {"app", "job", "release_ns", "start_ns", "finish_ns", "deadline_ns",
                             "latency_ns", "energy_mj", "cycles", "mapping"})
      csv.text(name);
    for (const std::string& name : job_knobs_) csv.text(name);
    for (const char* name :
         {"accuracy_pct", "accuracy_floor_pct", "missed", "dropped", "infeasible"})
      csv.text(name);
    csv.end_line();
  }

  void job_line(CsvFile& csv, const JobRecord& job) const {
    const AppColumns* app = of_slot(job.app);
    csv.text(app ? app->binding.name : std::to_string(job.app));
    csv.cell(job.sequence).cell(job.release_ns).cell(job.start_ns).cell(job.finish_ns);
    csv.cell(job.deadline_ns).cell(job.dropped ? 0 : job.latency_ns()).cell(job.energy_mj);
    csv.cell(job.cycles);
    const auto& mappings = info_.platform.mappings;
    if (app && job.setting.mapping < mappings.size())
      csv.text(mappings[job.setting.mapping].name);
    else
      csv.cell(int{job.setting.mapping});
    for (const std::string& name : job_knobs_) csv.text(app ? value_of(*app, job, name) : "");
    csv.cell(job.accuracy_pct).cell(job.accuracy_floor_pct).cell(job.missed).cell(job.dropped);
    csv.cell(job.infeasible).end_line();
  }

 private:
  /// The value that a knob of the application's own had in a job; "" when it has no such knob.
  static std::string value_of(const AppColumns& app, const JobRecord& job,
                              const std::string& name) {
    if (job.setting.level >= app.binding.levels.size()) return "";
    const KnobValues& values = app.binding.levels[job.setting.level].knob;
    for (std::size_t k = 0; k < app.binding.knobs.size(); ++k) {
      const QualityKnob& knob = app.binding.knobs[k];
      if (column_name(knob) == name && values[k] < knob.values.size())
        return knob.values[values[k]];
    }
    return "";
  }

  /// A level is a column for each of the application's own knobs.
  static void knob_names(CsvFile& csv, const std::string& prefix,
                         const std::vector<KnobSpec>& knobs) {
    for (const KnobSpec& knob : knobs) {
      const std::string name = prefix + knob.name;
      if (knob.kind != KnobSpec::Kind::kLevel) csv.text(column_name(name, knob.unit));
      for (const QualityKnob& own : knob.own) csv.text(name + "." + column_name(own));
    }
  }

  static void knob_values(CsvFile& csv, const std::vector<KnobSpec>& knobs, const Action& action,
                          bool bound) {
    for (const KnobSpec& knob : knobs) {
      const auto index = static_cast<std::size_t>(setting_of(knob, action));
      const bool known = bound && index < knob.values.size();
      if (knob.kind != KnobSpec::Kind::kLevel) csv.text(known ? knob.values[index] : "");
      for (std::size_t k = 0; k < knob.own.size(); ++k) {
        const std::size_t value = known ? knob.levels[index].knob[k] : kMaxKnobValues;
        csv.text(value < knob.own[k].values.size() ? knob.own[k].values[value] : "");
      }
    }
  }

  const RecordingInfo& info_;
  std::vector<Monitor> platform_rows_;
  std::vector<KnobSpec> knobs_;
  std::vector<AppColumns> apps_;
  std::vector<std::string> job_knobs_;  ///< columns of jobs.csv
  Reward reward_;
};

}  // namespace

std::array<std::string, 2> csv_files(const std::string& folder) {
  return {folder + "/epochs.csv", folder + "/jobs.csv"};
}

void check_csv_folder(const std::string& folder) {
  make_output_folder("--csv " + folder, folder);
  const auto [epochs, jobs] = csv_files(folder);
  check_output(epochs, epochs, kEpochsOutput);
  check_output(jobs, jobs, kJobsOutput);
}

RecordingReport export_csv(const std::string& recording, const std::string& folder) {
  // Looked at first: nothing is made of a file that is no recording, and whoever comes has columns
  // from the first line on.
  std::vector<std::pair<int, Binding>> bindings;
  RecordingVisitor first;
  first.on_bind = [&](int slot, const Binding& binding, const Observation&) {
    bindings.emplace_back(slot, binding);
  };
  const RecordingInfo info = read_recording(recording, first).info;
  Columns columns(info);
  for (const auto& [slot, binding] : bindings) columns.bind(slot, binding);
  columns.unbind_all();

  check_csv_folder(folder);
  const auto paths = csv_files(folder);
  CsvFile epochs(paths[0]), jobs(paths[1]);
  columns.epoch_header(epochs);
  columns.jobs_header(jobs);
  RecordingVisitor visitor;
  visitor.on_bind = [&](int slot, const Binding& binding, const Observation&) {
    columns.bind(slot, binding);
  };
  visitor.on_unbind = [&](int slot) { columns.unbind(slot); };
  visitor.on_epoch = [&](const Observation& now, const DecisionRow& row) {
    columns.epoch_line(epochs, now, row);
  };
  visitor.on_job = [&](const JobRecord& job) { columns.job_line(jobs, job); };
  const RecordingReport report = read_recording(recording, visitor);
  epochs.put_in_place();
  jobs.put_in_place();
  return report;
}

}  // namespace flyball
