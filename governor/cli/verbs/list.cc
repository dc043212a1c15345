#include "governor/cli/verbs/list.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <sstream>

#include "agents/agent.h"
#include "env/config/yaml.h"
#include "env/model/platform_spec.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/policies.h"
#include "kernels/base/control_character.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

struct Entry {
  std::string name;
  std::string description;
};

struct Section {
  std::string name;
  std::string heading;  ///< of the first column
  std::vector<Entry> entries;
};

/// A file that cannot be read is listed with the reason: the others are still there to use. A
/// scenario's times depend on a platform, so only a platform can be judged by itself.
std::string description_of(const std::string& kind, const std::string& name) {
  try {
    if (kind == "platforms") {
      const PlatformSpec platform = load_platform(name);
      std::string text = platform.description;
      for (const std::string& warning : platform.warnings) text += " " + warning;
      return text;
    }
    return YamlMap::description(find_config(kind, name));
  } catch (const std::exception& error) {
    return fmt::format("cannot be read: {}", error.what());
  }
}

Section config_section(const std::string& kind, const std::string& heading) {
  Section section{kind, heading, {}};
  for (const std::string& name : list_configs(kind))
    section.entries.push_back({printable(name), description_of(kind, name)});
  return section;
}

Section policy_section() {
  Section section{"policies", "policy", {}};
  for (const AgentInfo& agent : agent_catalogue()) {
    section.entries.push_back({std::string(agent.name), std::string(agent.summary)});
  }
  return section;
}

Section agent_section() {
  Section section{"agents", "agent", {}};
  for (const AgentInfo& agent : agent_catalogue()) {
    if (agent.learns)
      section.entries.push_back({std::string(agent.name), std::string(agent.summary)});
  }
  return section;
}

/// The description beside the name, wrapped into what is left of the line.
void render(const Section& section, int columns, std::string& out) {
  std::size_t name_width = section.heading.size();
  for (const Entry& entry : section.entries) name_width = std::max(name_width, entry.name.size());
  out += section.heading + '\n' + std::string(name_width, '-') + '\n';
  const int indent = static_cast<int>(name_width) + 2;
  for (const Entry& entry : section.entries) {
    const std::string lines = wrapped(entry.description, std::max(columns, indent + 20) - indent);
    std::string margin = fmt::format("{:{}}", entry.name, indent);
    std::istringstream each(lines);
    for (std::string line; std::getline(each, line); margin.assign(margin.size(), ' ')) {
      out += line.empty() ? entry.name + '\n' : margin + line + '\n';
    }
  }
}

struct ListOptions {
  std::string what;
  bool json = false;
};

int list(const ListOptions& options) {
  const std::vector<std::string>& kinds = list_kinds();
  if (!options.what.empty() && std::find(kinds.begin(), kinds.end(), options.what) == kinds.end()) {
    input_error(fmt::format("list '{}'", options.what),
                "there is no such kind" + did_you_mean(options.what, kinds),
                "use one of " + joined(kinds));
  }
  const auto wanted = [&](const char* kind) {
    return options.what.empty() || options.what == kind;
  };
  std::vector<Section> sections;
  if (wanted("platforms")) sections.push_back(config_section("platforms", "platform"));
  if (wanted("scenarios")) sections.push_back(config_section("scenarios", "scenario"));
  if (wanted("policies")) sections.push_back(policy_section());
  if (wanted("agents")) sections.push_back(agent_section());

  if (options.json) {
    Json json{{"schema", 1}};
    for (const Section& section : sections) {
      Json& entries = json[section.name] = Json::array();
      for (const Entry& entry : section.entries) {
        entries.push_back({{"name", entry.name}, {"description", entry.description}});
        if (section.name == "policies") entries.back()["learns"] = policy_learns(entry.name);
      }
    }
    if (wanted("agents")) json["policy_files"] = stored_policy_files();
    write_result(json_text(json));
    return 0;
  }
  const int columns = Terminal::of(STDOUT_FILENO).columns;
  std::string text;
  for (const Section& section : sections) {
    if (!text.empty()) text += '\n';
    render(section, columns, text);
  }
  if (wanted("agents")) {
    for (const std::string& file : stored_policy_files())
      text += fmt::format("trained: {}\n", file);
  }
  write_result(text);
  return 0;
}

}  // namespace

const std::vector<std::string>& list_kinds() {
  static const std::vector<std::string> kKinds = {"platforms", "scenarios", "policies", "agents"};
  return kKinds;
}

Verb add_list(CLI::App& program) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* parser = program.add_subcommand(
      "list", "List the platforms, scenarios, policies and agents there are");
  parser->add_option("kind", options->what,
                     "platforms, scenarios, policies or agents; all of them when left out");
  json_option(*parser, options->json);
  parser->footer("Example:\n  flyball list scenarios");
  return {parser, [options] { return list(*options); }};
}

}  // namespace flyball::cli
