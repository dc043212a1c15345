#include "agents/static_best.h"

#include <fmt/core.h>

#include <charconv>
#include <string_view>
#include <vector>

#include "env/config/yaml.h"
#include "kernels/base/error.h"
#include "kernels/base/split.h"

namespace flyball {

namespace {

constexpr const char* kExample = "write it as \"A15=1400000,A7=200000;camera=A15x1@100\"";

[[noreturn]] void wrong(std::string_view part, const std::string& why) {
  input_error(fmt::format("policy 'static_best', part '{}'", part), why, kExample);
}

std::int64_t number(std::string_view part, std::string_view digits) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    wrong(part, fmt::format("'{}' is not a whole number", digits));
  }
  return value;
}

void set_cluster(const PlatformSpec& platform, std::string_view part, Action& action) {
  const std::size_t equals = part.find('=');
  if (equals == std::string_view::npos) wrong(part, "it has no '='");
  const std::string_view name = part.substr(0, equals);
  const int c = platform.find_cluster(name);
  if (c < 0) {
    std::vector<std::string> known;
    for (const ClusterSpec& cluster : platform.clusters) known.push_back(cluster.name);
    wrong(part,
          fmt::format("{} has no cluster '{}'{}", platform.name, name, did_you_mean(name, known)));
  }
  const std::int64_t khz = number(part, part.substr(equals + 1));
  const ClusterSpec& cluster = platform.clusters[static_cast<std::size_t>(c)];
  for (int opp = 0; opp <= cluster.max_opp(); ++opp) {
    if (cluster.opps[static_cast<std::size_t>(opp)].freq_khz != khz) continue;
    action.opp[static_cast<std::size_t>(c)] = static_cast<std::uint8_t>(opp);
    return;
  }
  wrong(part, fmt::format("{} has no operating point at {} kHz", cluster.name, khz));
}

/// "100", "75int8", "320/small".
std::string name_of(const AppProfile& profile, int level) {
  return level_name(profile.knobs, profile.levels[static_cast<std::size_t>(level)].knob, "");
}

AppSetting app_setting(const PlatformSpec& platform, const AppProfile& profile,
                       std::string_view part) {
  const std::string_view value = part.substr(part.find('=') + 1);
  const std::size_t at = value.find('@');
  if (at == std::string_view::npos) wrong(part, "it has no '@' before the level");
  AppSetting setting;
  bool found = false;
  for (std::size_t m = 0; m < platform.mappings.size(); ++m) {
    if (platform.mappings[m].name != value.substr(0, at)) continue;
    for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
      if (platform.mappings[m].cores[c] > 0 && !profile.unit[c].supported) {
        wrong(part, fmt::format("{} does not run on {}", profile.name, platform.clusters[c].name));
      }
    }
    setting.mapping = static_cast<std::uint8_t>(m);
    found = true;
  }
  if (!found)
    wrong(part, fmt::format("{} has no mapping '{}'", platform.name, value.substr(0, at)));
  const std::string level(value.substr(at + 1));
  std::vector<std::string> known;
  for (int l = 0; l < profile.level_count(); ++l) {
    known.push_back(name_of(profile, l));
    if (known.back() != level) continue;
    setting.level = static_cast<std::uint8_t>(l);
    return setting;
  }
  wrong(part,
        fmt::format("{} has no level '{}'{}", profile.name, level, did_you_mean(level, known)));
}

std::string_view frequencies_of(std::string_view text) {
  return text.substr(0, std::min(text.find(';'), text.size()));
}
std::string_view applications_of(std::string_view text) {
  return text.substr(std::min(text.find(';'), text.size() - 1) + 1);
}

}  // namespace

Action parse_action(const PlatformSpec& platform, const Scenario& scenario,
                    const std::string& text) {
  Action action;
  for (std::string_view part : split(frequencies_of(text), ',')) {
    set_cluster(platform, part, action);
  }
  const std::vector<std::string_view> app_parts = split(applications_of(text), ',');
  for (std::string_view part : app_parts) {
    bool known = false;
    for (const AppSpec& app : scenario.apps)
      known = known || part.substr(0, part.find('=')) == app.name;
    if (!known) wrong(part, fmt::format("{} has no such application", scenario.name));
  }
  for (std::size_t a = 0; a < scenario.apps.size(); ++a) {
    const AppSpec& app = scenario.apps[a];
    bool found = false;
    for (std::string_view part : app_parts) {
      if (part.find('=') == std::string_view::npos || part.substr(0, part.find('=')) != app.name)
        continue;
      action.app[a] =
          app_setting(platform, platform.apps[static_cast<std::size_t>(app.profile)], part);
      found = true;
    }
    if (!found) wrong(text, fmt::format("application '{}' is missing", app.name));
  }
  return action;
}

std::string format_action(const PlatformSpec& platform, const Scenario& scenario,
                          const Action& action) {
  std::string text;
  for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
    text += fmt::format("{}{}={}", c == 0 ? "" : ",", platform.clusters[c].name,
                        platform.clusters[c].opps[action.opp[c]].freq_khz);
  }
  for (std::size_t a = 0; a < scenario.apps.size(); ++a) {
    const AppProfile& profile = platform.apps[static_cast<std::size_t>(scenario.apps[a].profile)];
    text += fmt::format("{}{}={}@{}", a == 0 ? ";" : ",", scenario.apps[a].name,
                        platform.mappings[action.app[a].mapping].name,
                        name_of(profile, action.app[a].level));
  }
  return text;
}

StaticBest::StaticBest(const AgentContext& context, const std::string& text)
    : platform_(context.belief.mean), text_(text) {
  for (std::string_view part : split(frequencies_of(text_), ',')) {
    set_cluster(platform_, part, action_);
  }
}

void StaticBest::bind(int slot, const Binding& binding, const Observation& now) {
  AppSetting& setting = action_.app[static_cast<std::size_t>(slot)];
  setting = now.app[slot].setting;
  const int known = platform_.find_app(binding.profile);
  for (std::string_view part : split(applications_of(text_), ',')) {
    if (known < 0 || part.substr(0, part.find('=')) != binding.name) continue;
    setting = app_setting(platform_, platform_.apps[static_cast<std::size_t>(known)], part);
  }
}

void StaticBest::decide(const Observation&, Decision& out) noexcept {
  out.action = action_;
  out.fresh = true;
  out.reason.code = Reason::Code::kFixed;
}

}  // namespace flyball
