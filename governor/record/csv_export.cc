#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "governor/record/recording.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"
#include "kernels/base/whole_file.h"

namespace flyball {
namespace {

// How a file of ours begins, whatever columns a later version adds.
constexpr OutputKind kEpochsOutput{"a CSV file of epochs that 'export' made",
                                   "epoch,end_ns,epoch_ns,"};
constexpr OutputKind kJobsOutput{"a CSV file of jobs that 'export' made", "app,job,release_ns,"};

/// A CSV file that takes its name when all of it is there.
class CsvFile {
 public:
  explicit CsvFile(std::string path) : path_(std::move(path)) { check(file_.begin(path_)); }

  template <class T>
  CsvFile& cell(const T& value) {
    if (!line_.empty()) line_ += ',';
    fmt::format_to(std::back_inserter(line_), "{}", value);
    return *this;
  }
  CsvFile& cell(bool value) { return cell(value ? 1 : 0); }
  /// Quoted where RFC 4180 asks for it.
  CsvFile& text(std::string_view value) {
    if (!line_.empty()) line_ += ',';
    if (value.empty()) line_ += "\"\"";  // or an empty first cell would lose its comma
    if (value.find_first_of(",\"\r\n") == std::string_view::npos) {
      line_ += value;
      return *this;
    }
    line_ += '"';
    for (const char c : value) line_.append(c == '"' ? 2 : 1, c);
    line_ += '"';
    return *this;
  }
  void end_line() {
    text_ += line_;
    text_ += '\n';
    line_.clear();
    if (text_.size() >= kBufferBytes) write();
  }
  void put_in_place() {
    write();
    check(file_.put_in_place());
  }

 private:
  static constexpr std::size_t kBufferBytes = 64 * 1024;
  void write() {
    check(file_.write(text_));
    text_.clear();
  }
  void check(const FileStatus& status) const {
    if (!status)
      failure(path_, "cannot be written: " + status.why,
              "choose a folder that can be written, on a disk with room");
  }
  std::string path_;
  FileReplacement file_;
  std::string text_, line_;
};

std::string unit_suffix(const std::string& unit) {
  if (unit == "%") return "_pct";
  if (unit.empty() || unit == "cores") return "";  // a mapping has a name
  std::string suffix = "_" + unit;
  for (char& c : suffix)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return suffix;
}

std::string value_of(const KnobSpec& knob, const Action& action) {
  const std::size_t index = static_cast<std::size_t>(setting_of(knob, action));
  return index < knob.values.size() ? knob.values[index] : std::to_string(index);
}

/// A width is two columns, its percentage and its precision: "75 int8" is 75 and int8, "75" is 75
/// and fp32.
struct WidthCells {
  explicit WidthCells(const std::string& value)
      : pct(value.substr(0, value.find(' '))),
        precision(pct.size() < value.size() ? value.substr(pct.size() + 1) : "fp32") {}
  std::string pct, precision;
};

void knob_names(CsvFile& csv, const std::string& prefix, const std::vector<KnobSpec>& knobs) {
  for (const KnobSpec& knob : knobs) {
    csv.text(prefix + knob.name + unit_suffix(knob.unit));
    // "camera.width" goes with "camera.precision".
    if (knob.kind == KnobSpec::Kind::kLevel)
      csv.text(prefix + knob.name.substr(0, knob.name.rfind('.')) + ".precision");
  }
}

void knob_values(CsvFile& csv, const std::vector<KnobSpec>& knobs, const Action& action) {
  for (const KnobSpec& knob : knobs) {
    if (knob.kind == KnobSpec::Kind::kLevel) {
      const WidthCells width(value_of(knob, action));
      csv.text(width.pct).text(width.precision);
    } else {
      csv.text(value_of(knob, action));
    }
  }
}

void epochs_header(CsvFile& csv, const RecordingInfo& info) {
  for (const char* name :
       {"epoch", "end_ns", "epoch_ns", "decide_ns", "energy_mj", "power_mw", "battery_pct",
        "energy_preference", "reward", "cost_energy", "cost_misses", "cost_accuracy", "cost_budget",
        "cost_heat", "sensors_ok", "jobs_unlisted"})
    csv.text(name);
  knob_names(csv, "decided.", info.knobs);
  knob_names(csv, "applied.", info.knobs);
  for (const std::string& name : info.clusters)
    for (const char* column :
         {"freq_khz", "opp_cap", "util_max", "util_mean", "power_mw", "temp_c"})
      csv.text(name + "." + column);
  for (const std::string& name : info.apps)
    for (const char* column : {"active", "released", "finished", "missed", "backlog", "deadline_ns",
                               "accuracy_floor_pct", "last_latency_ns"})
      csv.text(name + "." + column);
  csv.text("verdict").text("explored").text("expected_reward").text("why").end_line();
}

void epoch_line(CsvFile& csv, const RecordingInfo& info, const EpochRow& row) {
  csv.cell(row.sequence).cell(row.now_ns).cell(row.epoch_ns).cell(row.decide_ns);
  csv.cell(row.energy_mj).cell(row.power_mw).cell(row.battery_pct).cell(row.energy_preference);
  csv.cell(row.reward).cell(row.cost_energy).cell(row.cost_misses).cell(row.cost_accuracy);
  csv.cell(row.cost_budget).cell(row.cost_heat).cell(row.sensors_ok).cell(row.jobs_unlisted);
  knob_values(csv, info.knobs, row.decided);
  knob_values(csv, info.knobs, row.applied);
  for (std::size_t c = 0; c < info.clusters.size(); ++c) {
    const EpochRow::Cluster& cluster = row.cluster[c];
    csv.cell(cluster.freq_khz).cell(int{cluster.opp_cap}).cell(cluster.util_max);
    csv.cell(cluster.util_mean).cell(cluster.power_mw).cell(cluster.temp_c);
  }
  for (std::size_t a = 0; a < info.apps.size(); ++a) {
    const EpochRow::App& app = row.app[a];
    csv.cell(app.active).cell(app.released).cell(app.finished).cell(app.missed).cell(app.backlog);
    csv.cell(app.deadline_ns).cell(app.accuracy_floor_pct).cell(app.last_latency_ns);
  }
  csv.text(verdict_name(row.verdict)).cell(row.explored).cell(row.value).text(row.why).end_line();
}

void jobs_header(CsvFile& csv) {
  for (const char* name : {"app", "job", "release_ns", "start_ns", "finish_ns", "deadline_ns",
                           "latency_ns", "energy_mj", "cycles", "mapping", "width_pct", "precision",
                           "accuracy_pct", "accuracy_floor_pct", "missed", "dropped", "infeasible"})
    csv.text(name);
  csv.end_line();
}

void job_line(CsvFile& csv, const RecordingInfo& info, const JobRecord& job) {
  Action action;
  if (job.app < kMaxApps) action.app[job.app] = job.setting;
  std::string mapping = std::to_string(job.setting.mapping);
  WidthCells width(std::to_string(job.setting.level));
  for (const KnobSpec& knob : info.knobs) {
    if (knob.index != job.app) continue;
    if (knob.kind == KnobSpec::Kind::kMapping) mapping = value_of(knob, action);
    if (knob.kind == KnobSpec::Kind::kLevel) width = WidthCells(value_of(knob, action));
  }
  csv.text(job.app < info.apps.size() ? info.apps[job.app] : std::to_string(job.app));
  csv.cell(job.sequence).cell(job.release_ns).cell(job.start_ns).cell(job.finish_ns);
  csv.cell(job.deadline_ns).cell(job.dropped ? 0 : job.latency_ns()).cell(job.energy_mj);
  csv.cell(job.cycles).text(mapping).text(width.pct).text(width.precision);
  csv.cell(job.accuracy_pct);
  csv.cell(job.accuracy_floor_pct).cell(job.missed).cell(job.dropped).cell(job.infeasible);
  csv.end_line();
}

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
  // Looked at first, so that nothing is made of a file that is no recording.
  const RecordingInfo info = read_recording(recording, {}).info;
  check_csv_folder(folder);
  const auto paths = csv_files(folder);
  CsvFile epochs(paths[0]), jobs(paths[1]);
  epochs_header(epochs, info);
  jobs_header(jobs);
  RecordingVisitor visitor;
  visitor.on_epoch = [&](const EpochRow& row) { epoch_line(epochs, info, row); };
  visitor.on_job = [&](const JobRecord& job) { job_line(jobs, info, job); };
  const RecordingReport report = read_recording(recording, visitor);
  epochs.put_in_place();
  jobs.put_in_place();
  return report;
}

}  // namespace flyball
