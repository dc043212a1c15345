#include "governor/cli/views/engine.h"

#include <fmt/format.h>

#include <optional>
#include <system_error>

#include "governor/cli/options.h"
#include "governor/machine/monitor_images.h"
#include "kernels/base/error.h"
#include "kernels/base/thread_error.h"

namespace flyball::cli {
namespace {

double macs_of(const Network& network, int width) {
  return static_cast<double>(network.layout().multiplications(network.spec(), width));
}

/// Over one worker at the same width and precision; NaN when that was not measured.
double speed_up(const EngineCalibration& calibration, const EngineCalibration::Row& row) {
  const EngineCalibration::Row* one = calibration.find(row.width, row.precision, 1);
  return one != nullptr ? one->inference_ns / row.inference_ns : std::nan("");
}

}  // namespace

std::unique_ptr<InferenceEngine> make_engine(const Model& model) {
  try {
    auto engine = std::make_unique<InferenceEngine>(Network(model));
    if (std::optional<LabelledImages> images = monitor_images(model))
      engine->use_images(std::move(*images));
    return engine;
  } catch (const std::system_error& error) {
    no_thread("worker pool", error);
  }
}

std::string operators_note(const Network& network) {
  std::vector<std::string> others;
  for (const char* name : {"reference", "portable", "avx2", "avx512", "neon"}) {
    if (name != std::string(network.operators().name) && find_operators(name) != nullptr)
      others.emplace_back(name);
  }
  return fmt::format("Operators: {} (FLYBALL_SIMD can force {}).", network.operators().name,
                     joined(others));
}

Table timing_table(const EngineCalibration& calibration, const Network& network) {
  Table table({{"width", "%"},
               {"CPUs", "", true},
               {"time", "us"},
               {"median", "us"},
               {"spread", "+-%"},
               {"speed-up", "over one"},
               {"rate", "GMAC/s"}});
  for (const EngineCalibration::Row& row : calibration.rows) {
    table.add_row({fmt::format("{}{}", network.width_pct(row.width),
                               row.precision == Precision::kInt8 ? " int8" : ""),
                   row.cpus.to_string(), fixed(row.inference_ns / 1000, 1),
                   fixed(row.median_ns / 1000, 1), fixed(row.spread_pct(), 1),
                   fixed(speed_up(calibration, row), 2),
                   fixed(macs_of(network, row.width) / row.inference_ns, 1)});
  }
  return table;
}

Json timing_json(const EngineCalibration& calibration, const Network& network) {
  Json rows = Json::array();
  for (const EngineCalibration::Row& row : calibration.rows) {
    rows.push_back({{"width_pct", network.width_pct(row.width)},
                    {"precision", name_of(row.precision)},
                    {"threads", row.active()},
                    {"cpus", row.cpus.to_string()},
                    {"time_us", row.inference_ns / 1000},
                    {"median_us", row.median_ns / 1000},
                    {"high_us", row.high_ns / 1000},
                    {"spread_pct", row.spread_pct()},
                    {"batches", row.batches},
                    {"speed_up", number_or_null(speed_up(calibration, row))},
                    {"gmac_per_s", macs_of(network, row.width) / row.inference_ns}});
  }
  return rows;
}

}  // namespace flyball::cli
