#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>

#include "governor/cli/json.h"
#include "kernels/base/error.h"

namespace flyball::cli {

/// How much of a suite was whole when it ended.
struct SuiteDone {
  std::size_t done = 0, of = 0;
  const char* what = "runs";

  bool whole() const { return done == of; }
  /// Before all else in text.
  std::string line() const {
    return whole() ? ""
                   : fmt::format("PARTIAL: {} of {} {} done, and what follows is of these.\n", done,
                                 of, what);
  }
  void mark(Json& json) const {
    if (whole()) return;
    json["interrupted"] = true;
    json["partial"] = {{"done", done}, {"of", of}};
  }
  /// After what there is was printed. Throws Error (kFailure).
  [[noreturn]] void fail() const {
    if (done == 0) failure("evaluate", "interrupted before every run was done", "run it again");
    failure("evaluate", fmt::format("interrupted after {} of {} {}", done, of, what),
            "run it again");
  }
};

}  // namespace flyball::cli
