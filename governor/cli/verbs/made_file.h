#pragma once

#include <string>

#include "governor/cli/terminal.h"
#include "kernels/base/atomic_file.h"
#include "kernels/base/error.h"

namespace flyball::cli {

/// `--out -` is standard output of every verb that makes text: what is made goes there, and nothing else
/// does. A policy file is none, and 'train' refuses it.
inline bool is_standard_output(const std::string& out) { return out == "-"; }

/// Throws Error (kInput) where standard output is wanted twice.
inline void check_standard_output(const std::string& out, bool json,
                                  const std::string& option = "--out") {
  if (is_standard_output(out) && json)
    input_error(option + " - and --json", "both would be standard output",
                "leave one out, or name a file");
}

inline void write_made(const std::string& out, const std::string& text) {
  if (is_standard_output(out))
    write_result(text);
  else
    write_file_atomically(out, text);
}

}  // namespace flyball::cli
