#pragma once

#include <map>
#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "governor/import/flags.h"
#include "governor/import/samples.h"

namespace flyball {

/// A knob that was turned, or a monitor that was read, as the logger of the PRiME framework has it.
struct PrimeRow {
  long line = 0;
  double time_s = 0;  ///< after the log's first message
  bool application = false;
  bool knob = false;
  std::string process;  ///< of an application; empty: not told
  long id = 0;
  std::string type;  ///< "PRIME_FREQ"
  double value = 0;
  bool used = true;  ///< it can be true
};

/// What was registered.
struct PrimeRange {
  std::string type;
  double least = 0, most = 0;
  bool bounded = false;
};

struct PrimeLog {
  std::string path;
  std::vector<PrimeRow> rows;
  std::map<long, PrimeRange> device_knobs;
  std::size_t applications = 0;  ///< registered
};

/// Reads what the logger prints ("source:UDS,api:PRIME_API_...,ts:...,id:...,") or the JSON messages
/// that reach it, one a line. Throws Error (kInput) with file and line: it is none of the two, a line
/// is cut off, time goes back.
PrimeLog read_prime_log(const std::string& path, ImportFlags& flags);

/// time_s, of, process, kind, id, type, value, unit, used.
std::string prime_text(const PrimeLog& log);

/// The powers that were read while a clock was known: clocks by the operating points of the
/// platform's cluster that has as many as the knob. Clocks and rails of one unit share the top byte of
/// their numbers. Throws Error (kInput) when there are none.
SampleLog prime_samples(const PrimeLog& log, const PlatformSpec& platform);

}  // namespace flyball
