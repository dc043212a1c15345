#pragma once

#include <string>
#include <string_view>

#include "governor/cli/json.h"
#include "governor/compare/curriculum.h"
#include "governor/report/figure.h"

namespace flyball::cli {

inline constexpr std::string_view kValidationCsvStart = "lane,episodes,reward,";

/// What was kept of a training and what that is worth, in a sentence or two.
std::string validation_text(const TrainedPolicy& trained);
Json validation_json(const TrainedPolicy& trained);
std::string validation_csv(const TrainedPolicy& trained);
/// Reward of a run against episodes, a line for each learner.
report::Figure validation_figure(const TrainedPolicy& trained, const std::string& agent);

}  // namespace flyball::cli
