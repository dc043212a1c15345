#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flyball {

// The room fit/ turns tables of measurements into a platform file. It lies in governor/ and not
// with the model that it fits, env/model/, because it is offline: it reads and writes files,
// allocates and throws as it likes, and is the only one that needs Eigen. What it knows of the
// model is its formula.

/// One row of a table: one operating point of one unit, measured.
struct Measurement {
  int file = 0;  ///< index into Measurements::files
  int line = 0;
  std::string unit;
  double mhz = 0;
  double cores = 1;        ///< busy ones; 0: the unit is idle
  double width_pct = 100;  ///< of the network that ran
  /// What the unit's idle cores did. Without a word on it, cpuidle gates them, as it does on
  /// boards.
  bool idle_clocked = false;
  std::optional<double> time_ms;  ///< of a job
  std::optional<double> power_mw;
  std::optional<double> energy_mj;  ///< of a job
  std::optional<double> temp_c;
  std::optional<double> voltage_mv;
  std::optional<double> accuracy_pct;
};

struct Measurements {
  std::vector<std::string> files;  ///< of several, each is a device of the same kind
  std::vector<Measurement> rows;   ///< as they stand in the files
  /// The rows are freqbench's: a job is kCoreMarkJob iterations of CoreMark.
  bool coremark = false;
  std::vector<std::string> notes;
  std::vector<std::string> contents;  ///< of the files, to know one that comes twice
};

/// Iterations of CoreMark that make a job: 10 to 100 ms on the chips measured, as long as a frame's
/// inference. freqbench's own 250,000 take minutes.
inline constexpr double kCoreMarkJob = 100;

/// The cluster's name that a cell makes: letters, digits, '_' and '-', "cpu4" of "4"; may be empty.
std::string unit_name(std::string_view cell);
/// Whether YAML takes the word for nothing, so that it cannot be a name in a platform's file.
bool is_null_word(std::string_view name);

/// Reads a table and appends its rows. The first line that is neither empty nor a comment ('#')
/// names the columns, in any order; README.md lists the names. Cells are separated by commas,
/// semicolons or tabs. Unknown columns are ignored with a note. A row that
/// stands in it twice, byte for byte, counts once, and so does a file: a note says which. An empty cell was not measured.
/// Throws Error (kInput) with file and line.
void read_table(const std::string& path, Measurements& into);

}  // namespace flyball
