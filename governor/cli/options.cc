#include "governor/cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "agents/agent.h"
#include "env/config/yaml.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

template <typename Number>
Number parse_number(const std::string& flag, const std::string& text, Number min, Number max,
                    const char* kind) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  const bool in_range = code == std::errc() && stop == end && value >= min && value <= max;
  if (!in_range) {
    input_error(fmt::format("{} {}", flag, text),
                fmt::format("is not {} from {} to {}", kind, min, max),
                fmt::format("give one, as in '{} {}'", flag, std::max(min, Number{1})));
  }
  return value;
}

}  // namespace

void integer_option(CLI::App& parser, const std::string& flag, int& value, int min, int max,
                    const std::string& help) {
  parser
      .add_option_function<std::string>(
          flag,
          [=, &value](const std::string& text) {
            value = parse_number(flag, text, min, max, "a whole number");
          },
          help)
      ->type_name("N");
}

void seed_option(CLI::App& parser, std::uint64_t& value, const std::string& help) {
  parser
      .add_option_function<std::string>(
          "--seed",
          [&value](const std::string& text) {
            value = parse_number<std::uint64_t>("--seed", text, 0, UINT64_MAX, "a whole number");
          },
          help)
      ->type_name("N");
}

void number_option(CLI::App& parser, const std::string& flag, double& value, double min, double max,
                   const std::string& unit, const std::string& help, const char* kind) {
  parser
      .add_option_function<std::string>(
          flag,
          [=, &value](const std::string& text) {
            value = parse_number(flag, text, min, max, kind);
          },
          help)
      ->type_name(unit);
}

void seconds_option(CLI::App& parser, const std::string& flag, double& value, double min,
                    double max, const std::string& help) {
  number_option(parser, flag, value, min, max, "SECONDS", help, "a number of seconds");
}

void minutes_option(CLI::App& parser, const std::string& flag, double& value, double min,
                    double max, const std::string& help) {
  number_option(parser, flag, value, min, max, "MINUTES", help, "a number of minutes");
}

namespace {
/// A comma before NAME=VALUE belongs to the configuration that the name from `begin` on has:
/// "rule,static_best:A15=1400000,A7=200000;camera=A15x1@100" are two.
bool is_within_one(const std::string& text, std::size_t begin, std::size_t comma) {
  if (comma == text.size() || text.find(':', begin) > comma) return false;
  const std::size_t next = std::min(text.find(',', comma + 1), text.size());
  return text.find('=', comma) < next;
}
}  // namespace

std::vector<std::string> split_names(const std::string& flag, const std::string& text) {
  std::vector<std::string> names;
  std::size_t begin = 0;
  while (true) {
    std::size_t comma = std::min(text.find(',', begin), text.size());
    while (is_within_one(text, begin, comma))
      comma = std::min(text.find(',', comma + 1), text.size());
    const std::string name = text.substr(begin, comma - begin);
    if (name.empty()) {
      input_error(fmt::format("{} '{}'", flag, text), "has an empty name in it",
                  "separate names by single commas");
    }
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      input_error(fmt::format("{} '{}'", flag, text), fmt::format("names '{}' twice", name),
                  "name each once");
    }
    names.push_back(name);
    if (comma == text.size()) return names;
    begin = comma + 1;
  }
}

void names_option(CLI::App& parser, const std::string& flag, std::vector<std::string>& value,
                  const std::string& help) {
  parser
      .add_option_function<std::string>(
          flag, [=, &value](const std::string& text) { value = split_names(flag, text); }, help)
      ->type_name("NAME[,NAME...]");
}

void json_option(CLI::App& parser, bool& value) {
  parser.add_flag("--json", value, "Print the result as JSON, with units in the keys");
}

void belief_option(CLI::App& parser, std::string& value) {
  parser
      .add_option("--belief", value,
                  "What agents believe of the platform: another platform's name or file, with the "
                  "same knobs and other costs (default: what is true of it)")
      ->type_name("NAME|FILE");
}

void profile_option(CLI::App& parser, std::string& value) {
  parser
      .add_option("--profile", value,
                  "Of an emulated platform: what 'flyball profile' measured (default: what it "
                  "stored; none: the platform file's assumptions)")
      ->type_name("FILE|none");
}

std::string joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

void check_policy_name(const std::string& policy) {
  if (find_agent(policy)) return;
  std::vector<std::string> known;
  for (const AgentInfo& agent : agent_catalogue()) known.emplace_back(agent.name);
  input_error(fmt::format("policy '{}'", policy),
              "there is none of that name" + did_you_mean(policy, known),
              "use one of " + joined(known));
}

void check_decides_live(const std::string& what, const std::string& policy,
                        const std::string& remedy) {
  check_policy_name(policy);
  const AgentInfo* info = find_agent(policy);
  if (!info->knows_future && !info->searched) return;
  input_error(what, "has to know what happens later, which only a simulation can tell", remedy);
}

bool policy_learns(const std::string& policy) {
  const AgentInfo* agent = find_agent(policy);
  return agent && agent->learns;
}

}  // namespace flyball::cli
