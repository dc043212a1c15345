#pragma once

#include <string>

#include "governor/cli/json.h"
#include "governor/infer/infer_loop.h"

namespace flyball::cli {

/// What `infer` is asked for, as its first line tells.
struct InferSetup {
  std::string model;
  int widths = 1;  ///< of the model
  JobPlan plan;
  flyball_requirements required{};
};

/// What `infer` prints, as text or as a JSON object a line.
class InferLines {
 public:
  InferLines(const InferSetup& setup, const JobImages& images, bool json);
  /// How every such output begins, so that a file of another kind is not replaced.
  static const char* start(bool json);
  /// `job_lines`: with the heads of the columns.
  std::string first(bool job_lines) const;
  std::string job(const JobResult& result) const;
  std::string last(const InferTotals& totals, const flyball_effect& effect) const;

 private:
  Json totals_json(const InferTotals& totals, const flyball_effect& effect) const;
  std::string totals_text(const InferTotals& totals, const flyball_effect& effect) const;

  const InferSetup setup_;
  const JobImages& images_;
  const bool json_;
  int name_columns_ = 5;
  int class_columns_ = 5;
};

}  // namespace flyball::cli
