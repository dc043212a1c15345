#include "governor/cli/verbs/compared_policies.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "agents/agent.h"
#include "governor/cli/options.h"
#include "governor/cli/verbs/policies.h"
#include "governor/record/recording_header.h"
#include "kernels/base/control_character.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"

namespace flyball::cli {
namespace {

constexpr const char* kOption = "--policies";

bool is_file(const std::string& text) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(text, ignored);
}

bool looks_like_file(const std::string& text) {
  return text.find('/') != text.npos || text.ends_with(".policy") || text.ends_with(".flyrec") ||
         is_file(text);
}

/// `agent`: none of a recorded run. `what` is named in the remedy.
void check_label(const std::string& label, const std::string& agent, const std::string& text,
                 const std::string& what) {
  if (label.empty() || label.find_first_of(":,\n\"") != label.npos)
    input_error(fmt::format("{} {}", kOption, text),
                "its name is empty, or has a colon or comma in it",
                fmt::format("name it as in '{} mine={}'", kOption, what));
  // Tables call yardsticks and governors by their names.
  if (find_agent(label) != nullptr && label != agent)
    input_error(fmt::format("{} {}", kOption, text),
                fmt::format("it is called as the policy '{}', and is {}", label,
                            agent.empty() ? "a recorded run" : fmt::format("'{}'", agent)),
                fmt::format("name it as in '{} mine={}'", kOption, what));
}

ComparedPolicy of_file(const std::string& label, const std::string& file, const std::string& text) {
  // Of one that is not there its name says what was meant.
  const bool recorded = file.ends_with(".flyrec") || is_of_kind(file, kRecordingOutput);
  const std::string agent = recorded ? "" : read_policy(file).identity.agent;
  check_label(label, agent, text, file);
  ComparedPolicy policy{label, recorded ? label : agent, file};
  if (recorded) policy.records.push_back(file);
  return policy;
}

ComparedPolicy parse_compared_policy(const std::string& text) {
  const std::size_t equals = text.find('='), colon = text.find(':');
  if (equals != text.npos && colon > equals) {
    const std::string file = text.substr(equals + 1);
    if (file.empty())
      input_error(fmt::format("{} {}", kOption, text), "names no file", "write it after the '='");
    const std::string label = text.substr(0, equals);
    if (looks_like_file(file) && find_agent(file) == nullptr) return of_file(label, file, text);
    if (find_agent(file) != nullptr) {
      check_label(label, file, text, file);
      return {label, file, ""};
    }
  }
  // The name of a policy is that, whatever files there are; './rule' is a file.
  if (find_agent(text) != nullptr) return {text, text, ""};
  if (looks_like_file(text))
    return of_file(std::filesystem::path(text).stem().string(), text, text);
  check_policy_name(text);
  return {text, text, ""};
}

/// Of several files the one that is of this platform.
std::string file_for(const FilesByPolicy& files, const std::string& label,
                     const PolicyIdentity& here) {
  std::string first, fitting;
  int count = 0;
  for (const auto& [name, file] : files) {
    if (name != label) continue;
    if (count++ == 0) first = file;
  }
  if (count < 2) return first;
  for (const auto& [name, file] : files) {
    if (name != label || !misfit(read_policy(file).identity, here).empty()) continue;
    if (!fitting.empty())
      input_error(fmt::format("--policy-file {}={}", label, file),
                  fmt::format("'{}' has a file for {} already: {}", label, here.platform, fitting),
                  "give it one for each platform");
    fitting = file;
  }
  return fitting.empty() ? first : fitting;
}

}  // namespace

std::vector<ComparedPolicy> parse_compared(const std::vector<std::string>& texts) {
  std::vector<ComparedPolicy> policies;
  for (const std::string& text : texts) {
    const std::vector<std::string> names =
        is_file(text) ? std::vector<std::string>{text} : split_names(kOption, text);
    for (const std::string& name : names) {
      policies.push_back(parse_compared_policy(name));
      const auto same = std::ranges::find(policies, policies.back().label, &ComparedPolicy::label);
      // Runs under one name are seeds of one policy.
      if (same != policies.end() - 1 && same->recorded() && policies.back().recorded()) {
        if (std::ranges::find(same->records, policies.back().file) != same->records.end())
          input_error(fmt::format("{} {}", kOption, name), "names the same recorded run twice",
                      "name each once");
        same->records.push_back(policies.back().file);
        policies.pop_back();
        continue;
      }
      if (same != policies.end() - 1)
        input_error(
            fmt::format("{} {}", kOption, name),
            fmt::format("there is a policy called '{}' already", same->label),
            same->file.empty() && policies.back().file.empty()
                ? "name each once"
                : fmt::format("name it as in '{} mine={}'", kOption,
                              policies.back().file.empty() ? same->file : policies.back().file));
    }
  }
  return policies;
}

void add_policy_file(const std::string& option, const std::string& text, FilesByPolicy& files) {
  // Whether it is the name of one that is compared is known when all are.
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    input_error(fmt::format("{} {}", option, text), "is not of the form NAME=FILE",
                fmt::format("write for example {} q_learning=xu3.policy", option));
  }
  files.emplace_back(text.substr(0, equals), text.substr(equals + 1));
}

void check_policy_files(const std::string& option, const FilesByPolicy& files,
                        const std::vector<ComparedPolicy>& policies) {
  for (const auto& [name, file] : files) {
    const auto found = std::ranges::find(policies, name, &ComparedPolicy::label);
    if (found == policies.end())
      input_error(fmt::format("{} {}={}", option, name, file),
                  fmt::format("'{}' is not among the policies compared", name),
                  "add it to --policies");
    if (!found->file.empty())
      input_error(fmt::format("{} {}={}", option, name, file),
                  fmt::format("'{}' starts from {} already", name, found->file),
                  "leave one of the two out");
  }
}

std::vector<PolicyChoice> starting_choices(const std::vector<ComparedPolicy>& policies,
                                           const FilesByPolicy& files, const FilesByPolicy& priors,
                                           const Belief& belief, std::uint64_t times_hash,
                                           CellContext& cell,
                                           std::vector<std::string>& differs) {
  std::vector<PolicyChoice> choices;
  for (const ComparedPolicy& policy : policies) {
    if (policy.recorded()) continue;
    const PolicyIdentity here = policy_identity(policy.agent, belief, times_hash);
    const std::string file =
        policy.file.empty() ? file_for(files, policy.label, here) : policy.file;
    StartingPoint from = starting_point(here, belief, file, file_for(priors, policy.label, here));
    choices.push_back({policy.agent, std::move(from.learned), from.as_prior});
    if (from.note.empty()) continue;
    const std::string who = policy.label == policy.agent ? "" : policy.label + ": ";
    cell.notes.push_back(who + from.note);
    if (!from.differs.empty()) differs.push_back(cell.notes.back());
    for (const std::string& one : from.left_out) cell.notes.push_back(policy.label + ": " + one);
    cell.policy_files.emplace_back(policy.label, from.file);
  }
  return choices;
}

}  // namespace flyball::cli
