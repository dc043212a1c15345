#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "governor/cli/json.h"
#include "governor/cli/table.h"
#include "governor/compare/compare.h"
#include "governor/compare/matrix_results.h"
#include "governor/compare/requirements.h"
#include "governor/compare/standing.h"

namespace flyball::cli {

/// nullptr when it was not compared.
const PolicyResult* policy_of(const std::vector<PolicyResult>& results, const std::string& policy);

/// Why a policy has no figure; empty when it has.
std::string absent_reason(const PolicyResult& result, const MetricField& field);
/// {"mean", "ci95"}, and of misses and heat {"worst", "cvar10"} too: the worst seed, and the mean of
/// the worst tenth of them.
Json figure_json(const PolicyResult& result, const MetricField& field);
/// Of all figures that follow from the seed, of the others less those of `against`: {"mean", "ci95",
/// "below", and whether that is a difference: "improvement", "p", "p_holm", "effect_size"}.
/// `statistics` is of these results.
Json differences_json(const std::vector<PolicyResult>& results, const std::string& against,
                      const MatrixStatistics& statistics);
Json requirements_json(const std::vector<RequirementResult>& judged);
/// "q_learning: deadline_miss_pct is 2.31, required <= 1".
std::string requirement_text(const RequirementResult& one);

/// Energy, misses and latency of the others less those of `against`.
Table differences(const std::vector<PolicyResult>& results, const std::string& against);
/// "10 seeds from 1"; where they do not follow each other, "3 seeds (1, 4, 9)". `each` follows "seeds".
std::string seeds_text(const MatrixResults& results, std::string_view each);
/// A row per cell, policy and seed that is there; a figure that there is not is empty.
std::string comparison_csv(const MatrixResults& results);
/// What a metric is, in lines of their own.
std::string explained(const MetricField& field);

}  // namespace flyball::cli
