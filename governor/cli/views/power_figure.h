#pragma once

#include <vector>

#include "governor/import/samples.h"
#include "governor/report/figure.h"

namespace flyball::cli {

/// Power against clock: the samples of a log, what was flagged of them, and a line through the medians.
report::Figure power_figure(const SampleLog& log, const std::vector<SampledPoint>& points);

}  // namespace flyball::cli
