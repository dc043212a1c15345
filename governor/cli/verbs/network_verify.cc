#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "governor/cli/interrupt.h"
#include "governor/cli/json.h"
#include "governor/cli/progress.h"
#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/network.h"
#include "governor/machine/model_check.h"
#include "kernels/base/error.h"
#include "kernels/data/accuracy.h"
#include "kernels/data/cifar10.h"
#include "kernels/data/procedural.h"

namespace flyball::cli {
namespace {

struct VerifyVerb {
  std::string model = kDefaultModel;
  std::string data;
  bool json = false;
};

/// Another instruction set rounds differently, which turns an answer or two in 5000.
constexpr double kSamePct = 0.1;

Dataset test_set(const std::string& data) {
  constexpr std::string_view kCifar = "cifar10:";
  if (data == "procedural") return procedural_test_set();
  if (data.rfind(kCifar, 0) != 0) {
    input_error(fmt::format("--data {}", data), "there is no such data set",
                "use procedural, or cifar10:DIR with CIFAR-10's binary files");
  }
  LoadedTrainingData loaded = load_cifar10(data.substr(kCifar.size()));
  if (!loaded.data) throw Error(Error::Kind::kInput, loaded.error);
  return std::move(loaded.data->test);
}

/// Whether the file's figures are of these images, so that they must be met.
bool same_data(const std::string& data, std::size_t images, const std::string& source) {
  std::string lower;
  for (const char c : source)
    lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (lower.find(data == "procedural" ? "procedural" : "cifar") == std::string::npos) return false;
  // As the trainer writes it: "..., 5000 images, top-1 ...".
  const std::size_t end = lower.find(" images, top-1");
  if (end == std::string::npos) return true;
  const std::string count = std::to_string(images);
  return end > count.size() &&
         lower.substr(end - count.size() - 1, count.size() + 1) == ' ' + count;
}

struct Remeasured {
  bool comparable = false;
  std::vector<float> fp32_pct, int8_pct;  ///< per width
};

Remeasured remeasure(const VerifyVerb& verb, const Model& model) {
  const Dataset dataset = test_set(verb.data);
  const NetworkSpec& spec = model.spec;
  if (dataset.image_size != spec.image_size || dataset.channels != spec.image_channels ||
      dataset.classes != spec.classes) {
    input_error(
        fmt::format("--data {}", verb.data),
        fmt::format("its images are {0}x{0}x{1} in {2} classes, the model's {3}x{3}x{4} in {5}",
                    dataset.image_size, dataset.channels, dataset.classes, spec.image_size,
                    spec.image_channels, spec.classes),
        "verify it with the data that it was trained on");
  }
  Progress progress("measuring accuracy");
  const int precisions = model.activation_max.empty() ? 1 : 2;
  int measured = 0;
  const auto after_width = [&] {
    progress.update(static_cast<double>(++measured) / (precisions * spec.widths));
  };
  const Network network(model);
  Remeasured result;
  result.comparable = same_data(verb.data, dataset.size(), model.accuracy.source);
  result.fp32_pct = measure_top1(network, Precision::kFloat32, dataset, after_width);
  if (network.has_int8())
    result.int8_pct = measure_top1(network, Precision::kInt8, dataset, after_width);
  return result;
}

struct Verdict {
  const NamedModel& named;
  const std::vector<LevelCheck>& checks;
  const std::optional<Remeasured>& remeasured;

  double stated_pct(const LevelCheck& check) const {
    const NetworkAccuracy& accuracy = named.model.accuracy;
    return at(check.precision == Precision::kInt8 ? accuracy.int8_top1_pct : accuracy.top1_pct,
              check.width);
  }
  double measured_pct(const LevelCheck& check) const {
    if (!remeasured) return std::nan("");
    return at(check.precision == Precision::kInt8 ? remeasured->int8_pct : remeasured->fp32_pct,
              check.width);
  }
  bool as_stated(const LevelCheck& check) const {
    if (!remeasured || !remeasured->comparable || std::isnan(stated_pct(check))) return true;
    return std::abs(stated_pct(check) - measured_pct(check)) <= kSamePct;
  }
  /// "width 25 % in fp32": the first level whose answers are not finite; empty when all are.
  std::string overflow() const {
    for (const LevelCheck& check : checks) {
      if (check.finite) continue;
      return fmt::format("width {} % in {}", 100 * (check.width + 1) / named.model.spec.widths,
                         name_of(check.precision));
    }
    return {};
  }
  bool computes() const {
    return std::all_of(checks.begin(), checks.end(),
                       [](const LevelCheck& check) { return check.good(); });
  }
  bool good() const {
    return computes() && std::all_of(checks.begin(), checks.end(),
                                     [&](const LevelCheck& check) { return as_stated(check); });
  }

 private:
  static double at(const std::vector<float>& values, int width) {
    const auto i = static_cast<std::size_t>(width);
    return i < values.size() ? static_cast<double>(values[i]) : std::nan("");
  }
};

Json verify_json(const VerifyVerb& verb, const Verdict& verdict) {
  const NamedModel& named = verdict.named;
  Json json{{"schema", 1},
            {"model", named.path},
            {"checksum", fmt::format("{:08x}", named.checksum)},
            {"good", verdict.good()},
            {"data", verb.data.empty() ? Json(nullptr) : Json(verb.data)},
            {"accuracy_source", named.model.accuracy.source}};
  Json& levels = json["levels"] = Json::array();
  for (const LevelCheck& check : verdict.checks) {
    Json level{{"width_pct", 100 * (check.width + 1) / named.model.spec.widths},
               {"precision", name_of(check.precision)},
               {"same_bits", check.same_bits},
               {"finite", check.finite}};
    Json& deviations = level["deviation"] = Json::object();
    for (const LevelCheck::Deviation& d : check.deviations)
      deviations[d.operators] = number_or_null(d.largest);
    level["stated_pct"] = number_or_null(verdict.stated_pct(check));
    level["measured_pct"] = number_or_null(verdict.measured_pct(check));
    level["good"] = check.good() && verdict.as_stated(check);
    levels.push_back(level);
  }
  return json;
}

std::string verify_text(const VerifyVerb& verb, const Verdict& verdict, int columns) {
  const NamedModel& named = verdict.named;
  std::vector<Table::Column> heads = {{"width", "%"}, {"2 threads", "", true}};
  for (const LevelCheck::Deviation& d : verdict.checks[0].deviations)
    heads.push_back({d.operators, "off by"});
  heads.push_back({"stated", "% top-1"});
  if (verdict.remeasured) heads.push_back({"measured", "% top-1"});
  heads.push_back({"", "", true});
  Table table(heads);
  for (const LevelCheck& check : verdict.checks) {
    std::vector<std::string> row = {
        fmt::format("{}{}", 100 * (check.width + 1) / named.model.spec.widths,
                    check.precision == Precision::kInt8 ? " int8" : ""),
        check.same_bits ? "same bits" : "OTHER BITS"};
    for (const LevelCheck::Deviation& d : check.deviations)
      row.push_back(fmt::format("{:.1e}", d.largest));
    row.push_back(fixed(verdict.stated_pct(check), 2));
    if (verdict.remeasured) row.push_back(fixed(verdict.measured_pct(check), 2));
    row.push_back(!check.finite                              ? "NOT FINITE"
                  : check.good() && verdict.as_stated(check) ? "good"
                                                             : "BAD");
    table.add_row(std::move(row));
  }
  std::string text = fmt::format("{}: format, checksum {:08x}, shape and values are good\n\n",
                                 named.path, named.checksum);
  text += table.render(columns) + '\n';
  text +=
      wrapped(fmt::format("Off by: the largest difference of a logit from the plain reference's, "
                          "relative to the largest logit; {:g} is allowed.",
                          LevelCheck::kTolerance),
              columns);
  text += wrapped(
      fmt::format("Stated: {}.{}", named.model.accuracy.source,
                  verdict.remeasured ? "" : " It was not measured again; --data does that."),
      columns);
  if (verdict.remeasured && !verdict.remeasured->comparable) {
    text += wrapped(
        fmt::format("That is of other images than {}, so the two may differ.", verb.data), columns);
  }
  return text;
}

int run_verify(const VerifyVerb& verb) {
  const InterruptScope interrupt(
      "flyball: network verify: interrupted before every check was done; run it again\n");
  std::string why;
  if (choose_operators(&why) == nullptr) throw Error(Error::Kind::kInput, why);
  const NamedModel named = load_named_model(verb.model);
  const std::vector<LevelCheck> checks = check_levels(named.model);
  std::optional<Remeasured> remeasured;
  if (!verb.data.empty()) remeasured = remeasure(verb, named.model);
  const Verdict verdict{named, checks, remeasured};
  write_result(verb.json ? json_text(verify_json(verb, verdict))
                         : verify_text(verb, verdict, Terminal::of(STDOUT_FILENO).columns));
  if (const std::string level = verdict.overflow(); !level.empty()) {
    failure(fmt::format("{}, {}", named.path, level), "its answers are not finite numbers",
            "take another model file, or train it again");
  }
  if (!verdict.good()) {
    failure(named.path,
            verdict.computes() ? "its accuracy is not what it states, see above"
                               : "some width does not compute what it should, see above",
            "take the file from where it came again, or report it");
  }
  return 0;
}

}  // namespace

Verb add_network_verify(CLI::App& network) {
  auto verb = std::make_shared<VerifyVerb>();
  CLI::App* parser = network.add_subcommand(
      "verify", "Check a model file, and that every width computes the same in every way");
  model_option(*parser, verb->model);
  parser
      ->add_option("--data", verb->data,
                   "Measure its accuracy again: procedural, or cifar10:DIR with the binary files")
      ->type_name("DATA");
  json_option(*parser, verb->json);
  parser->footer("Example:\n  flyball network verify --data procedural");
  return {parser, [verb] { return run_verify(*verb); }};
}

}  // namespace flyball::cli
