#include "governor/record/csv_file.h"
#include "governor/record/export.h"
#include "governor/record/record_columns.h"
#include "kernels/base/output_file.h"

namespace flyball {
namespace {

// How a file of ours begins, whatever columns another version has.
constexpr OutputKind kEpochsOutput{"a CSV file of epochs that 'export' made",
                                   "epoch,end_ns,epoch_ns,"};
constexpr OutputKind kJobsOutput{"a CSV file of jobs that 'export' made", "app,job,release_ns,"};

}  // namespace

std::array<std::string, 2> csv_files(const std::string& folder) {
  return {folder + "/epochs.csv", folder + "/jobs.csv"};
}

void check_csv_folder(const std::string& folder, const std::string& option) {
  make_output_folder(option + " " + folder, folder);
  const auto [epochs, jobs] = csv_files(folder);
  check_output(epochs, epochs, kEpochsOutput);
  check_output(jobs, jobs, kJobsOutput);
}

RecordingReport export_csv(const std::string& recording, const std::string& folder,
                           const std::string& option) {
  // Looked at first: nothing is made of a file that is no recording.
  RecordColumns columns(recording);
  check_csv_folder(folder, option);
  const auto paths = csv_files(folder);
  CsvFile epochs(paths[0]), jobs(paths[1]);
  const RecordingReport report = columns.write(recording, &epochs, &jobs);
  epochs.put_in_place();
  jobs.put_in_place();
  return report;
}

}  // namespace flyball
