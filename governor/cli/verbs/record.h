#pragma once

#include <string>

#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/record/recording.h"

namespace flyball::cli {

struct RecordExport {
  std::string format;  ///< "csv", "json", "perfetto"
  std::string record, out;
  std::string option = "--out";  ///< that named it
  bool json = false;
};
int run_record_export(const RecordExport& verb);

void recording_option(CLI::App& parser, std::string& value);
/// What was recorded, and how well it could be read.
Json recording_json(const std::string& file, const RecordingReport& report);
/// Throws Error (kFailure) unless the recording is complete; `done` says what was made of it.
void check_complete(const std::string& file, const RecordingReport& report,
                    const std::string& done);

Verb add_record_show(CLI::App& record);

}  // namespace flyball::cli
