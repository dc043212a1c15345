#include <fmt/format.h>
#include <sys/stat.h>

#include <cmath>
#include <set>

#include "agents/policy_file.h"
#include "governor/record/recording_header.h"
#include "governor/report/report.h"
#include "governor/report/sections.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"
#include "kernels/base/read_file.h"
#include "kernels/base/whole_file.h"

namespace flyball::report {
namespace {

constexpr std::size_t kMaxJsonBytes = 256 << 20;

[[noreturn]] void refuse(const std::string& input, const std::string& why) {
  input_error(
      "input " + input, why,
      "name recordings, policy files, or what 'compare', 'characterise' or 'train' print with "
      "--json");
}

/// Verbs' figures have names of their own; two inputs of one verb have the same.
void number_figures(Report& report) {
  std::set<std::string> taken;
  for (Section& section : report.sections) {
    for (Figure& figure : section.figures) {
      const std::string name = figure.name;
      for (int i = 2; !taken.insert(figure.name).second; ++i)
        figure.name = fmt::format("{}-{}", name, i);
    }
  }
}

}  // namespace

double number_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return std::nan("");
  return found->get<double>();
}

std::string digits(double value, int decimals) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, decimals) : "-";
}

Report read_inputs(const std::vector<std::string>& inputs, const Options& options) {
  Report report;
  Colours colours;
  std::vector<ComparedRun> runs;
  std::vector<std::string> recordings;
  std::vector<Section> others;
  std::set<std::pair<dev_t, ino_t>> drawn;
  for (const std::string& input : inputs) {
    // However it is spelled, a file is drawn once.
    struct stat file {};
    if (stat(input.c_str(), &file) == 0 && !drawn.emplace(file.st_dev, file.st_ino).second) continue;
    if (is_of_kind(input, kRecordingOutput)) {
      recordings.push_back(input);
      continue;
    }
    if (is_of_kind(input, kPolicyOutput)) {
      others.push_back(policy_section(input));
      continue;
    }
    const std::string text = read_file(input, kMaxJsonBytes);
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) refuse(input, "is neither a recording nor a JSON object");
    try {
      if (json.contains("cells"))
        for (const Json& cell : json.at("cells"))
          report.sections.push_back(comparison_section(cell, options, colours, runs));
      else if (json.contains("differences"))
        report.sections.push_back(comparison_section(json, options, colours, runs));
      else if (json.contains("rows") && json.contains("app"))
        others.push_back(characterise_section(json));
      else if (json.contains("curve"))
        others.push_back(training_section(json));
      else
        refuse(input, "is not the JSON of a verb that can be drawn");
    } catch (const Json::exception& error) {
      refuse(input, fmt::format("is not as that verb prints it ({})", error.what()));
    }
  }
  if (Section profile = profile_section(runs, options, colours); !profile.figures.empty())
    report.sections.push_back(std::move(profile));
  for (Section& section : recording_sections(recordings, options, colours))
    report.sections.push_back(std::move(section));
  for (Section& section : others) report.sections.push_back(std::move(section));
  number_figures(report);
  return report;
}

const Figure& figure_of(const Report& report, const std::string& name) {
  std::string names;
  for (const Section& section : report.sections) {
    for (const Figure& figure : section.figures) {
      if (figure.name == name) return figure;
      names += (names.empty() ? "" : ", ") + figure.name;
    }
  }
  input_error("--figure " + name, "there is none of that name in these inputs",
              names.empty() ? "give inputs that have figures" : "use one of " + names);
}

}  // namespace flyball::report
