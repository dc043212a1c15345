#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "governor/cli/json.h"
#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/network.h"

namespace flyball::cli {
namespace {

struct ShowVerb {
  std::string model = kDefaultModel;
  bool json = false;
};

const char* kind_name(const NetworkSpec& spec) {
  return spec.kind == NetworkSpec::Kind::kGrouped ? "grouped" : "slimmable";
}

const char* pool_name(LayerSpec::Pool pool) {
  switch (pool) {
    case LayerSpec::Pool::kNone:
      return "none";
    case LayerSpec::Pool::kMax:
      return "max";
    case LayerSpec::Pool::kAverage:
      return "average";
  }
  return "none";
}

/// Of one width.
struct WidthFacts {
  int width_pct = 100;
  std::size_t macs = 0, parameters = 0, fp32_bytes = 0;
  double int8_bytes = 0;              ///< NaN: it has no int8
  double fp32_pct = 0, int8_pct = 0;  ///< top-1; NaN: not measured
};

double accuracy_at(const std::vector<float>& measured, int width) {
  const auto at = static_cast<std::size_t>(width);
  return at < measured.size() ? static_cast<double>(measured[at]) : std::nan("");
}

/// In int8 the convolutions' weights are bytes; scales, biases and the classifier stay floats.
std::size_t convolution_weights(const NetworkSpec& spec, const NetworkLayout& layout, int width) {
  std::size_t weights = 0;
  for (std::size_t l = 0; l < layout.layers.size(); ++l) {
    const NetworkLayout::Layer& layer = layout.layers[l];
    const int inputs = l == 0 ? layer.in_channels : spec.active_channels(layer.in_channels, width);
    const int window = spec.layers[l].window;
    weights += std::size_t(window) * window * inputs *
               spec.active_channels(spec.layers[l].channels, width);
  }
  return weights * static_cast<std::size_t>(spec.active_towers(width));
}

std::vector<WidthFacts> facts_of(const Model& model) {
  const NetworkLayout layout(model.spec);
  std::vector<WidthFacts> facts;
  for (int w = 0; w < model.spec.widths; ++w) {
    WidthFacts width;
    width.width_pct = 100 * (w + 1) / model.spec.widths;
    width.macs = layout.multiplications(model.spec, w);
    width.parameters = layout.active_parameters(model.spec, w);
    width.fp32_bytes = width.parameters * sizeof(float);
    width.fp32_pct = accuracy_at(model.accuracy.top1_pct, w);
    // What cannot run has no figures, whatever the file states.
    width.int8_bytes = width.int8_pct = std::nan("");
    if (!model.activation_max.empty()) {
      width.int8_bytes = static_cast<double>(
          width.fp32_bytes - convolution_weights(model.spec, layout, w) * (sizeof(float) - 1));
      width.int8_pct = accuracy_at(model.accuracy.int8_top1_pct, w);
    }
    facts.push_back(width);
  }
  return facts;
}

Json show_json(const NamedModel& named, const std::vector<WidthFacts>& facts) {
  const NetworkSpec& spec = named.model.spec;
  const NetworkLayout layout(spec);
  Json json{{"schema", 1},
            {"model", named.path},
            {"checksum", fmt::format("{:08x}", named.checksum)},
            {"kind", kind_name(spec)},
            {"image_size", spec.image_size},
            {"image_channels", spec.image_channels},
            {"classes", spec.classes},
            {"towers", spec.towers()},
            {"parameters", layout.parameters},
            {"int8", !named.model.activation_max.empty()},
            {"accuracy_source", named.model.accuracy.source},
            {"provenance", named.model.provenance}};
  Json& layers = json["layers"] = Json::array();
  for (std::size_t l = 0; l < spec.layers.size(); ++l) {
    const LayerSpec& layer = spec.layers[l];
    const NetworkLayout::Layer& laid = layout.layers[l];
    layers.push_back({{"in_size", laid.in_size},
                      {"in_channels", laid.in_channels},
                      {"out_size", laid.out_size},
                      {"out_channels", layer.channels},
                      {"window", layer.window},
                      {"stride", layer.stride},
                      {"pad", layer.pad},
                      {"pool", pool_name(layer.pool)},
                      {"pool_window", layer.pool_window},
                      {"pool_stride", layer.pool_stride},
                      {"macs", laid.multiplications}});
  }
  Json& widths = json["widths"] = Json::array();
  for (const WidthFacts& width : facts) {
    widths.push_back({{"width_pct", width.width_pct},
                      {"macs", width.macs},
                      {"parameters", width.parameters},
                      {"fp32_bytes", width.fp32_bytes},
                      {"int8_bytes", std::isfinite(width.int8_bytes)
                                         ? Json(static_cast<std::size_t>(width.int8_bytes))
                                         : Json(nullptr)},
                      {"fp32_top1_pct", number_or_null(width.fp32_pct)},
                      {"int8_top1_pct", number_or_null(width.int8_pct)}});
  }
  return json;
}

Table layer_table(const NetworkSpec& spec) {
  const NetworkLayout layout(spec);
  Table table({{"layer", ""},
               {"input", "", true},
               {"output", "", true},
               {"window", ""},
               {"stride", ""},
               {"pooling", "", true},
               {"MACs", "million"}});
  for (std::size_t l = 0; l < spec.layers.size(); ++l) {
    const LayerSpec& layer = spec.layers[l];
    const NetworkLayout::Layer& laid = layout.layers[l];
    const std::string pooling =
        layer.pool == LayerSpec::Pool::kNone
            ? "-"
            : fmt::format("{} {}x{} stride {}", pool_name(layer.pool), layer.pool_window,
                          layer.pool_window, layer.pool_stride);
    table.add_row({fmt::to_string(l + 1),
                   fmt::format("{0}x{0}x{1}", laid.in_size, laid.in_channels),
                   fmt::format("{0}x{0}x{1}", laid.out_size, layer.channels),
                   fmt::format("{0}x{0}", layer.window), fmt::to_string(layer.stride), pooling,
                   fixed(1e-6 * static_cast<double>(laid.multiplications), 3)});
  }
  return table;
}

std::string show_text(const NamedModel& named, const std::vector<WidthFacts>& facts, int columns) {
  const NetworkSpec& spec = named.model.spec;
  std::string text = fmt::format("{}: {}, {} widths, images of {}x{}x{}, {} classes\n\n",
                                 named.path, kind_name(spec), spec.widths, spec.image_size,
                                 spec.image_size, spec.image_channels, spec.classes);
  text += layer_table(spec).render(columns);
  text += spec.towers() > 1
              ? wrapped(fmt::format("Each of {} towers has these layers; a width is so many of "
                                    "them, and a linear classifier adds up what they say.",
                                    spec.towers()),
                        columns)
              : wrapped("One tower; a width is the first part of each layer's channels.", columns);
  Table table({{"width", "%"},
               {"MACs", "million"},
               {"parameters", ""},
               {"fp32", "kB"},
               {"int8", "kB"},
               {"fp32", "% top-1"},
               {"int8", "% top-1"}});
  for (const WidthFacts& width : facts) {
    table.add_row(
        {fmt::to_string(width.width_pct), fixed(1e-6 * static_cast<double>(width.macs), 2),
         fmt::to_string(width.parameters), fixed(1e-3 * static_cast<double>(width.fp32_bytes), 1),
         fixed(1e-3 * width.int8_bytes, 1), fixed(width.fp32_pct, 2), fixed(width.int8_pct, 2)});
  }
  text += '\n' + table.render(columns);
  text += wrapped(fmt::format("Accuracy: {}.", named.model.accuracy.source), columns);
  text +=
      wrapped(fmt::format("Made by: {}", named.model.provenance.empty() ? "the file does not say"
                                                                        : named.model.provenance),
              columns, 2);
  return text + fmt::format("Checksum: {:08x}\n", named.checksum);
}

int run_show(const ShowVerb& verb) {
  const NamedModel named = load_named_model(verb.model);
  const std::vector<WidthFacts> facts = facts_of(named.model);
  write_result(verb.json ? json_text(show_json(named, facts))
                         : show_text(named, facts, Terminal::of(STDOUT_FILENO).columns));
  return 0;
}

}  // namespace

Verb add_network_show(CLI::App& network) {
  auto verb = std::make_shared<ShowVerb>();
  CLI::App* parser =
      network.add_subcommand("show", "Print a model's shape, cost, size and accuracy per width");
  model_option(*parser, verb->model);
  json_option(*parser, verb->json);
  parser->footer("Example:\n  flyball network show dynamic_cnn --json");
  return {parser, [verb] { return run_show(*verb); }};
}

}  // namespace flyball::cli
