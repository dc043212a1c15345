#include "governor/cli/views/applications.h"

#include <fmt/format.h>

#include "governor/cli/terminal.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

std::string guest_interval_text(const Json& estimate, const char* unit) {
  return fmt::format("{:+.2f} {} [{:+.2f}, {:+.2f}]", estimate.at("mean").get<double>(), unit,
                     estimate.at("low").get<double>(), estimate.at("high").get<double>());
}

std::string guest_setting_text(const Json& app) {
  std::string text;
  for (const auto& [knob, value] : app.at("knobs").items())
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", knob, value.get<std::string>());
  const auto where = app.at("effect").at("where").get<std::string>();
  if (where.empty()) return text + (text.empty() ? "as it came" : ", as it came");
  return text + fmt::format("{}on {}", text.empty() ? "" : ", ", where);
}

std::string guest_effect_text(const Json& effect) {
  const Json& latency = effect.at("latency_difference_ms");
  if (const auto why = effect.find("no_comparison"); why != effect.end() && why->is_string())
    return "no comparison with before: " + why->get<std::string>();
  if (latency.is_null()) return "what that changed is not known yet";
  std::string text = "against its first jobs: latency " + guest_interval_text(latency, "ms");
  if (const Json& energy = effect.at("energy_difference_mj"); !energy.is_null())
    text += fmt::format(", energy {} a job, {}", guest_interval_text(energy, "mJ"),
                        effect.at("energy_measured").get<bool>() ? "measured" : "modelled");
  const Json &before = effect.at("clock_before_mhz"), &now = effect.at("clock_mhz");
  if (!before.is_null() && !now.is_null())
    text += fmt::format(", clock {:.0f} -> {:.0f} MHz", before.get<double>(), now.get<double>());
  return text;
}

}  // namespace

Json applications_json(const std::string& answer) {
  const Json all = Json::parse(answer, nullptr, false);
  if (!all.is_object() || !all.contains("applications"))
    failure("app.sock", "answers what is not understood", "use the 'flyball' that governs");
  return all.at("applications");
}

std::string applications_text(const Json& applications, int columns) {
  std::string text;
  for (const Json& app : applications) {
    const auto name = app.at("name").get<std::string>();
    if (!app.contains("jobs")) {
      text += fmt::format("{}: another user's\n", name);
      continue;
    }
    std::string line =
        fmt::format("{}, process {}: {}; {} jobs, {} late", name, app.at("process").get<int>(),
                    guest_setting_text(app), app.at("jobs").get<std::uint64_t>(),
                    app.at("late").get<std::uint64_t>());
    if (const auto lost = app.at("lost").get<std::uint64_t>(); lost > 0)
      line += fmt::format(", {} reports lost", lost);
    if (app.at("silent").get<bool>()) line += "; says nothing, so it counts for nothing";
    text += wrapped(line + "; " + guest_effect_text(app.at("effect")) + ".", columns);
  }
  return text;
}

}  // namespace flyball::cli
