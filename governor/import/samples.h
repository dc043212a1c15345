#pragma once

#include <limits>
#include <string>
#include <vector>

#include "governor/import/flags.h"

namespace flyball {

/// What a log without a column of units is of.
inline constexpr const char* kNoUnitNamed = "cpu";

/// A moment of a log: what a unit's clock was, and what was measured beside it.
struct Sample {
  int file = 0;  ///< index into SampleLog::files
  long line = 0;
  double time_s = 0;
  std::string unit;
  double mhz = 0;
  int cores = 1;  ///< busy ones, as far as the log says
  double power_mw = 0;
  double temp_c = std::numeric_limits<double>::quiet_NaN();  ///< NaN: not measured
  bool used = true;
};

struct SampleLog {
  std::vector<std::string> files;
  std::vector<Sample> samples;  ///< as they stand in the files
  bool has_cores = false;
  std::vector<std::string> notes;  ///< a sentence each
};

/// An operating point as the samples of it have it.
struct SampledPoint {
  std::string unit;
  double mhz = 0;
  int cores = 1;
  double power_mw = 0, temp_c = 0;  ///< medians; NaN: none
  std::size_t samples = 0;
};

/// Reads a table whose heading names time, clock and power, and may name temperature, unit and
/// cores, and appends its samples. Throws Error (kInput) with file and line: a heading lacks one, a
/// cell is no number or beyond what any board has, time goes back. Notes a last row without an end.
void read_samples(const std::string& path, SampleLog& into);

/// Flags samples that cannot be true, and uses them no more: no power, a temperature that no chip
/// has, more power than the clock allows.
void check_samples(SampleLog& log, ImportFlags& flags);

/// Of the used samples, by unit, cores and clock. Notes where the power at one of them varies so much
/// that the load cannot have been the same.
std::vector<SampledPoint> sampled_points(SampleLog& log);

/// The table that 'fit --data' reads.
std::string point_table(const SampleLog& log, const std::vector<SampledPoint>& points);

}  // namespace flyball
