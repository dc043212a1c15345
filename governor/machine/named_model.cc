#include "governor/machine/named_model.h"

#include <fmt/format.h>

#include "env/config/yaml.h"
#include "env/model/network_levels.h"
#include "kernels/base/control_character.h"
#include "kernels/base/error.h"
#include "kernels/dnn/model_file.h"

namespace flyball {
namespace {

std::vector<int> widths_of(const AppProfile& app) {
  std::vector<int> pcts;
  for (int level = 0; level < app.level_count(); ++level) {
    const int pct = network_level(app, level).width_pct;
    if (pcts.empty() || pcts.back() != pct) pcts.push_back(pct);
  }
  return pcts;
}

std::vector<int> widths_of(const NetworkSpec& spec) {
  std::vector<int> pcts;
  for (int w = 0; w < spec.widths; ++w) pcts.push_back(100 * (w + 1) / spec.widths);
  return pcts;
}

}  // namespace

NamedModel load_named_model(const std::string& name_or_path) {
  NamedModel named;
  named.path = find_config("models", name_or_path);
  LoadedModel loaded = load_model(named.path);
  // The message has the form of an Error already: "path: why; what to do".
  if (!loaded.model) throw Error(Error::Kind::kInput, loaded.error);
  named.model = std::move(*loaded.model);
  named.checksum = loaded.checksum;
  for (std::string* text : {&named.model.accuracy.source, &named.model.provenance}) {
    *text = printable(*text);
  }
  return named;
}

void check_levels(const AppProfile& app, const NamedModel& named) {
  const Model& model = named.model;
  const std::string what = fmt::format("application '{}'", app.name);
  if (!has_network_knobs(app)) {
    std::vector<std::string> names;
    for (const QualityKnob& knob : app.knobs) names.push_back(knob.name);
    input_error(
        what,
        fmt::format("its knobs are {}, and real jobs run the network {}, whose are width in % "
                    "and precision",
                    fmt::join(names, ", "), named.path),
        "use 'flyball compare' or 'flyball train' with it");
  }
  if (widths_of(app) != widths_of(model.spec)) {
    input_error(what,
                fmt::format("its widths are {} %, those of its model {} are {} %",
                            fmt::join(widths_of(app), ", "), named.path,
                            fmt::join(widths_of(model.spec), ", ")),
                "let the platform file list the model's widths");
  }
  for (int level = 0; level < app.level_count(); ++level) {
    if (!network_level(app, level).int8 || !model.activation_max.empty()) continue;
    input_error(what, fmt::format("it has levels in int8, and its model {} has none", named.path),
                "remove them, or train the model again");
  }
}

void take_accuracies(AppProfile& app, const NamedModel& named) {
  const NetworkAccuracy& accuracy = named.model.accuracy;
  for (int level = 0; level < app.level_count(); ++level) {
    LevelProfile& profile = app.levels[static_cast<std::size_t>(level)];
    const NetworkLevel of = network_level(app, level);
    const std::vector<float>& measured = of.int8 ? accuracy.int8_top1_pct : accuracy.top1_pct;
    if (measured.empty()) {
      input_error(named.path,
                  fmt::format("nobody has measured its accuracy in {}", of.int8 ? "int8" : "fp32"),
                  "train it with 'flyball network train', which measures it");
    }
    profile.accuracy_pct = static_cast<double>(measured[static_cast<std::size_t>(of.width)]);
    profile.accuracy_source = accuracy.source;
  }
}

}  // namespace flyball
