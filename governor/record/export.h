#pragma once

#include <array>
#include <string>

#include "governor/record/recording.h"

namespace flyball {

// What other programs read, made of a recording in bounded memory. All throw Error: kInput before
// anything is written, when the recording is none or `to` may not be replaced.

/// The two CSV files of a folder: of the epochs and of the jobs.
std::array<std::string, 2> csv_files(const std::string& folder);
/// Throws Error (kInput), which names `option`, unless export_csv can write them, which is tried: the
/// folder is made when absent, and files that are there must be empty or made by export_csv.
void check_csv_folder(const std::string& folder, const std::string& option = "--csv");
/// Writes them, both or, but for a failure of the very last step, neither. Throws Error.
RecordingReport export_csv(const std::string& recording, const std::string& folder,
                           const std::string& option = "--csv");

/// To "-", which is standard output, goes what these two make: one JSON document in one file: {"schema": 1, ..., "epochs": [...], "jobs": [...]} with the columns
/// of the CSV files as keys, a row a line.
RecordingReport export_json(const std::string& recording, const std::string& to);

/// Chrome's trace events in JSON, which ui.perfetto.dev opens: counters of every cluster, a slice per
/// job, an instant per new decision.
RecordingReport export_perfetto(const std::string& recording, const std::string& to);

}  // namespace flyball
