#pragma once

#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "governor/import/samples.h"

namespace flyball::cli {

/// What there is to say of a record that was made.
struct ImportedRecord {
  std::size_t epochs = 0;
  double length_s = 0;
  std::vector<std::string> notes;
};

/// Writes samples of clocks and powers as the record of a run on `platform`: an epoch between any two
/// moments of the log, clusters by the names of its units. What the log does not have (load, counters,
/// jobs) is absent there. Throws Error: kInput where there are fewer than two moments, or a unit is none of
/// the platform's clusters.
ImportedRecord write_record(const std::string& path, const SampleLog& log,
                            const PlatformSpec& platform, const std::string& format);

}  // namespace flyball::cli
