#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "governor/cli/json.h"
#include "governor/import/flags.h"
#include "kernels/base/output_file.h"

namespace flyball::cli {

// What the importers of 'flyball import' share: a function a format, and how it tells what it found.

struct ImportVerb {
  std::vector<std::string> files;
  std::string out, clocks, table, platform, figure, capacity;
  double window_ms = 100;
  bool window_asked = false;
  int threads = 32;
  bool json = false;
};

/// What an importer found, beside what it wrote.
struct Imported {
  const char* format;
  std::size_t points = 0, used = 0;  ///< samples, rows or events; of them those used
  std::string made;                  ///< "load.json: 32 threads, 6.7 s"
  std::vector<std::string> notes;
  Json more = Json::object();
};

/// How a table begins that is made here, so that it takes the place of nothing else.
inline constexpr OutputKind kTableOutput{"a table that 'import' made",
                                         "# Made by 'flyball import'"};

bool makes_record(const ImportVerb& verb);
/// Of what has no course of time with clocks and powers. Throws Error (kInput).
void refuse_record(const ImportVerb& verb, const char* why);
/// Throws Error (kInput) before anything is read.
void check_outputs(const ImportVerb& verb, const OutputKind& table_kind);
/// "standard output", or the file.
const char* named(const std::string& out);
/// Prints it, and what was flagged. Returns the exit status.
int tell(const ImportVerb& verb, const Imported& imported, const ImportFlags& flags);

// The formats. Each returns the exit status and throws Error.
int import_ftrace(const ImportVerb& verb);
int import_prime(const ImportVerb& verb);
int import_csv(const ImportVerb& verb);
int import_freqbench(const ImportVerb& verb);

}  // namespace flyball::cli
