#include "governor/compare/requirements.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "agents/agent.h"
#include "env/config/yaml.h"
#include "kernels/base/control_character.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

bool knows_future(const std::string& policy) {
  const AgentInfo* const info = find_agent(policy);
  return info != nullptr && info->knows_future;
}

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t"), end = text.find_last_not_of(" \t");
  return begin == text.npos ? "" : text.substr(begin, end + 1 - begin);
}

MetricRequirement parse_one(const std::string& option, const std::string& text) {
  const std::string where = fmt::format("{} {}", option, printable(text));
  const std::size_t sign = text.find_first_of("<>");
  if (sign == text.npos || sign + 2 > text.size() || text[sign + 1] != '=') {
    input_error(where, "has neither '<=' nor '>='",
                fmt::format("write for example {} 'deadline_miss_pct<=1'", option));
  }
  MetricRequirement required;
  required.at_most = text[sign] == '<';
  std::string key = trimmed(text.substr(0, sign));
  if (const std::size_t colon = key.rfind(':'); colon != key.npos) {
    required.policy = trimmed(key.substr(0, colon));
    key = trimmed(key.substr(colon + 1));
  }
  required.field = &metric_of(where, key);
  const std::string bound = trimmed(text.substr(sign + 2));
  const char* const begin = bound.data();
  const char* const end = bound.data() + bound.size();
  const auto [stop, error] = std::from_chars(begin, end, required.bound);
  if (begin == end || error != std::errc{} || stop != end || !std::isfinite(required.bound)) {
    input_error(where, fmt::format("'{}' is no number", printable(std::string(begin, end))),
                fmt::format("write for example {} '{}<=1'", option, required.field->key));
  }
  return required;
}

}  // namespace

const MetricField& metric_of(const std::string& where, const std::string& key) {
  const std::string full = key == "energy_gap_pct" ? "energy_gap_to_best_found_pct" : key;
  std::vector<std::string> known;
  for (const MetricField& field : metric_fields()) {
    if (field.key == full) return field;
    known.emplace_back(field.key);
  }
  input_error(where,
              fmt::format("there is no metric '{}'{}", printable(key), did_you_mean(key, known)),
              fmt::format("they are {}", fmt::join(known, ", ")));
}

std::vector<MetricRequirement> parse_requirements(const std::string& option,
                                                  const std::string& text) {
  std::vector<MetricRequirement> all;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    const std::string one = trimmed(text.substr(begin, comma - begin));
    if (one.empty())
      input_error(fmt::format("{} '{}'", option, printable(text)),
                  text.find(',') == text.npos ? "is empty" : "has a comma too many",
                  fmt::format("write for example {} 'deadline_miss_pct<=1'", option));
    all.push_back(parse_one(option, one));
    begin = comma + 1;
  }
  return all;
}

void check_requirements(const std::vector<MetricRequirement>& required,
                        const std::vector<std::string>& policies) {
  for (const MetricRequirement& one : required) {
    const bool of_one = !one.policy.empty();
    if (std::ranges::any_of(policies, [&](const std::string& policy) {
          return of_one ? policy == one.policy : !knows_future(policy);
        }))
      continue;
    input_error(fmt::format("--require {}{}{}", one.policy, of_one ? ":" : "", one.field->key),
                of_one ? fmt::format("'{}' is not among the policies compared", one.policy)
                       : "no policy is compared that could meet it or not",
                "add one to --policies");
  }
}

std::vector<RequirementResult> judge_requirements(const std::vector<MetricRequirement>& required,
                                                  const std::vector<PolicyResult>& results) {
  std::vector<std::string> policies;
  for (const PolicyResult& result : results) policies.push_back(result.policy);
  check_requirements(required, policies);
  std::vector<RequirementResult> judged;
  for (const MetricRequirement& one : required) {
    for (const PolicyResult& result : results) {
      if (one.policy.empty() ? knows_future(result.policy) : one.policy != result.policy) continue;
      std::vector<double> values;
      for (const Metrics& metrics : result.per_seed) values.push_back(metrics.*(one.field->value));
      const double value = estimate(values).mean;
      judged.push_back(
          {one, result.policy, "", value, one.at_most ? value <= one.bound : value >= one.bound});
    }
  }
  return judged;
}

}  // namespace flyball
