// flyball-torch: what needs LibTorch, kept out of `flyball`, which starts in milliseconds.

#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "governor/torch/dqn_verb.h"
#include "kernels/base/error.h"
#include "kernels/base/whole_file.h"
#include "kernels/data/accuracy.h"
#include "kernels/data/open_data.h"
#include "kernels/data/procedural.h"
#include "kernels/dnn/calibration.h"
#include "kernels/dnn/model_file.h"
#include "kernels/ops/operators.h"
#include "kernels/training/progress.h"
#include "kernels/training/trainer.h"

namespace flyball {
namespace {

constexpr int kFailure = 1, kWrongUse = 2;
constexpr std::size_t kCalibrationImages = 1000;  // of the training set, for the int8 ranges

struct Failure {
  int code;
  std::string message;
};

[[noreturn]] void fail(int code, std::string message) { throw Failure{code, std::move(message)}; }

volatile sig_atomic_t interrupted = 0;

/// The first Ctrl-C asks for a checkpoint, the second ends the program as it always does.
void listen_for_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

struct TrainOptions {
  Recipe recipe;
  std::string out, checkpoint, resume;
  int test_images = 0;  ///< 0: all
  bool json = false;
};

/// Twenty minutes of work must not end at a folder that cannot be written.
void check_writable(const std::string& path) {
  if (const FileStatus status = can_replace_file(path); !status)
    fail(kWrongUse, fmt::format("{}: {}; choose a place that can be written", path, status.why));
}

void take_recipe_of(const TrainingCheckpoint& checkpoint, const CLI::App& given, TrainOptions& options) {
  for_each_field(options.recipe, [&](const char* name, const auto& value, const char*) {
    for_each_field(checkpoint.recipe, [&](const char* other, const auto& was, const char*) {
      if constexpr (std::is_same_v<decltype(value), decltype(was)>)
        if (std::string_view(name) == other && given.count("--" + std::string(name)) &&
            value != was)
          fail(kWrongUse, fmt::format("--{} {}: {} was made with {}; leave it out, or start afresh",
                                      name, value, options.resume, was));
    });
  });
  options.recipe = checkpoint.recipe;
}

void measure(Model& model, const TrainingData& data) {
  model.activation_max =
      activation_ranges(model, normalised_images(data.train, kCalibrationImages));
  const Network network(model);
  model.accuracy.top1_pct = measure_top1(network, Precision::kFloat32, data.test);
  model.accuracy.int8_top1_pct = measure_top1(network, Precision::kInt8, data.test);
  model.accuracy.source =
      fmt::format("{}, {} images, top-1 of one inference each", data.test.name, data.test.size());
}

void print_result(const Model& model, const std::string& out, bool json) {
  const NetworkLayout layout(model.spec);
  const NetworkAccuracy& a = model.accuracy;
  if (json) {
    // Percents as doubles of two digits: a float's own digits would read 59.70000076.
    const auto percent = [](float value) { return std::round(value * 100.0) / 100; };
    nlohmann::ordered_json widths = nlohmann::ordered_json::array();
    for (int w = 0; w < model.spec.widths; ++w)
      widths.push_back({{"width_pct", 100 * (w + 1) / model.spec.widths},
                        {"top1_pct", percent(a.top1_pct[w])},
                        {"int8_top1_pct", percent(a.int8_top1_pct[w])},
                        {"multiplications", layout.multiplications(model.spec, w)},
                        {"parameters", layout.active_parameters(model.spec, w)}});
    nlohmann::ordered_json all = {{"file", out},
                                  {"accuracy_source", a.source},
                                  {"provenance", model.provenance},
                                  {"widths", widths}};
    fmt::print("{}\n", all.dump(2));
    return;
  }
  fmt::print("{:>6}  {:>12}  {:>12}  {:>16}  {:>12}\n", "width", "top-1 fp32", "top-1 int8",
             "multiplications", "parameters");
  for (int w = 0; w < model.spec.widths; ++w)
    fmt::print("{:>4} %  {:>10.1f} %  {:>10.1f} %  {:>16}  {:>12}\n",
               100 * (w + 1) / model.spec.widths, a.top1_pct[w], a.int8_top1_pct[w],
               layout.multiplications(model.spec, w), layout.active_parameters(model.spec, w));
  fmt::print("{}\nwritten to {}\n", a.source, out);
}

void train_network(const CLI::App& given, TrainOptions options) {
  std::string why_not;
  if (choose_operators(&why_not) == nullptr) fail(kWrongUse, why_not);
  TrainingCheckpoint checkpoint;
  if (!options.resume.empty()) {
    if (std::string error = read_checkpoint(options.resume, checkpoint); !error.empty())
      fail(kWrongUse, error);
    take_recipe_of(checkpoint, given, options);
  }
  const Recipe& recipe = options.recipe;
  if (std::string why = recipe.problem(); !why.empty()) fail(kWrongUse, why);
  if (options.out.empty())
    options.out = recipe.kind == "grouped" ? "dynamic_cnn.flynet" : "slimmable_cnn.flynet";
  // Only the file that nobody asked for is removed at the end.
  const std::string usual_checkpoint = options.out + ".checkpoint";
  const bool keep_checkpoint = !options.checkpoint.empty() ||
                               (!options.resume.empty() && options.resume != usual_checkpoint);
  if (options.checkpoint.empty())
    options.checkpoint = options.resume.empty() ? usual_checkpoint : options.resume;
  check_writable(options.out);
  check_writable(options.checkpoint);
  std::error_code none;
  if (const auto size = std::filesystem::file_size(options.out, none);
      !none && size > 0 && !is_model_file(options.out))
    fail(kWrongUse, fmt::format("{}: it exists and is no network; name another file, or remove it "
                                "first",
                                options.out));
  if (options.checkpoint != options.resume && access(options.checkpoint.c_str(), F_OK) == 0)
    fail(kWrongUse, fmt::format("{0}: an earlier training left it; go on with --resume {0}, or "
                                "remove it to start afresh",
                                options.checkpoint));

  LoadedTrainingData loaded =
      open_training_data(recipe.data, std::size_t(recipe.images), recipe.seed);
  if (!loaded.data) fail(kWrongUse, loaded.error);
  TrainingData& data = *loaded.data;
  if (options.test_images > 0 && std::size_t(options.test_images) < data.test.size()) {
    data.test.labels.resize(options.test_images);
    data.test.pixels.resize(options.test_images * data.test.image_values());
  }
  const std::string test_images =
      options.test_images > 0 ? fmt::format(" --test-images {}", options.test_images) : "";
  if (data.train.size() * 9 / 10 < std::size_t(recipe.batch))
    fail(kWrongUse, fmt::format("--batch {}: {} images are fewer; give fewer per step, or more of "
                                "them",
                                recipe.batch, data.train.size() * 9 / 10));

  Trainer trainer(recipe, data.train);
  if (!options.resume.empty())
    if (std::string error = trainer.restore(checkpoint); !error.empty())
      fail(kFailure, fmt::format("{}: {}", options.resume, error));
  const auto save = [&] {
    if (std::string error = write_checkpoint(trainer.checkpoint(), options.checkpoint);
        !error.empty())
      fail(kFailure, error);
  };
  listen_for_interrupts();
  bool finished = false;
  {
    ProgressLine progress;
    finished = trainer.run([&](const TrainingReport& report) {
      progress.show(report);
      if (!std::isfinite(report.loss))
        fail(kFailure, fmt::format("--lr {}: the loss is no longer a number; give a smaller rate",
                                   recipe.lr));
      if (report.step == report.steps) save();
      return !interrupted;
    });
    if (!finished) save();
  }
  if (!finished)
    fail(kFailure, fmt::format("interrupted: the training so far is in {0}; go on with "
                               "flyball-torch train-network --resume {0} --out {1}{2}",
                               options.checkpoint, options.out, test_images));
  Model model = trainer.model();
  model.provenance = recipe.command() + test_images;
  measure(model, data);
  if (std::string error = save_model(model, options.out); !error.empty()) fail(kFailure, error);
  if (!keep_checkpoint) unlink(options.checkpoint.c_str());
  print_result(model, options.out, options.json);
}

/// A contact sheet of the procedural test set, a row per class, as a binary PPM.
void draw_samples(const std::string& out, int columns) {
  constexpr int kSize = kProceduralSize, kCell = kSize + 1, kRows = kProceduralClasses.size();
  const int width = columns * kCell + 1, height = kRows * kCell + 1;
  std::string sheet(std::size_t(width) * height * 3, '\xff');
  std::vector<std::uint8_t> image(std::size_t(kSize) * kSize * 3);
  for (int row = 0; row < kRows; ++row)
    for (int column = 0; column < columns; ++column) {
      draw_procedural(0, Split::kTest, std::uint64_t(column) * kRows + row, image);
      for (int y = 0; y < kSize; ++y)
        std::copy_n(&image[std::size_t(y) * kSize * 3], kSize * 3,
                    &sheet[(std::size_t(row * kCell + 1 + y) * width + column * kCell + 1) * 3]);
    }
  const std::string head = fmt::format("P6\n{} {}\n255\n", width, height);
  if (const FileStatus status = replace_file(out, head + sheet); !status)
    fail(kFailure, fmt::format("{}: {}; choose a place that can be written", out, status.why));
}

int run(int argc, char** argv) {
  CLI::App app("flyball-torch: what Flyball does with LibTorch", "flyball-torch");
  app.require_subcommand(1);

  TrainOptions options;
  CLI::App* const train = app.add_subcommand(
      "train-network", "Train a dynamic-width network and measure every width of it");
  for_each_field(options.recipe, [&](const char* name, auto& value, const char* help) {
    train->add_option("--" + std::string(name), value, help)->capture_default_str();
  });
  train->add_option("--out", options.out,
                    "the model file (dynamic_cnn.flynet or slimmable_cnn.flynet)");
  train->add_option(
      "--checkpoint", options.checkpoint,
      "written after each epoch and on Ctrl-C; kept (OUT.checkpoint, removed at the end)");
  train->add_option("--resume", options.resume, "go on from this checkpoint, with its recipe");
  train
      ->add_option("--test-images", options.test_images,
                   "measure on so many test images only; 0 is all of them")
      ->check(CLI::Range(0, 1'000'000'000));
  train->add_flag("--json", options.json, "print the accuracies as JSON");

  std::string sheet = "procedural10.ppm";
  int columns = 8;
  CLI::App* const draw = app.add_subcommand(
      "draw-samples", "Draw samples of the procedural data set into a PPM, a row per class");
  draw->add_option("--out", sheet, "the picture")->capture_default_str();
  draw->add_option("--columns", columns, "samples per class")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));

  CLI::App* dqn = nullptr;
  const std::function<void()> train_dqn_agent = add_dqn(app, dqn);

  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.empty() && !(argument.starts_with("--") && argument.ends_with('='))) continue;
    fail(kWrongUse, fmt::format("{}: is empty; give it a value, or leave it out",
                                argument.empty() ? argv[i - 1] : argv[i]));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    fail(kWrongUse, fmt::format("{}; see flyball-torch --help", error.what()));
  }
  if (draw->parsed()) draw_samples(sheet, columns);
  if (dqn->parsed()) train_dqn_agent();
  if (train->parsed()) train_network(*train, options);
  return 0;
}

}  // namespace
}  // namespace flyball

int main(int argc, char** argv) {
  // Tensors of a batch are megabytes that come and go: kept by malloc, they need no page faults,
  // which are a third of the training time otherwise.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
  try {
    return flyball::run(argc, argv);
  } catch (const flyball::Failure& failure) {
    fmt::print(stderr, "flyball-torch: {}\n", failure.message);
    return failure.code;
  } catch (const flyball::Error& error) {
    fmt::print(stderr, "flyball-torch: {}\n", error.what());
    return error.kind() == flyball::Error::Kind::kInput ? flyball::kWrongUse : flyball::kFailure;
  } catch (const std::exception& error) {
    const std::string what = error.what();  // LibTorch appends a stack trace
    fmt::print(stderr, "flyball-torch: LibTorch: {}; is there enough memory?\n",
               what.substr(0, what.find('\n')));
    return flyball::kFailure;
  }
}
