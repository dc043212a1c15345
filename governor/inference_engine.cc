#include "governor/inference_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "env/config/error.h"
#include "kernels/pool/clock.h"

namespace flyball {
namespace {

constexpr std::uint64_t kWeightSeed = 1;
constexpr std::int64_t kBatchNs =
    2'000'000;  // well above a timer tick's share and the clock's resolution
constexpr int kLeastBatches = 3;

Network checked(Network network) {
  std::string why;
  if (!choose_operators(&why)) input_error("operators", why, "let the program choose");
  return network;
}

int workers_or_all(int workers) {
  return workers > 0 ? workers : std::max(1, thread_affinity().count());
}

/// A pattern with values in [-1, 1) in which neighbouring pixels resemble each other.
std::vector<float> procedural_image(const NetworkSpec& spec) {
  std::vector<float> image;
  for (int y = 0; y < spec.image_size; ++y)
    for (int x = 0; x < spec.image_size; ++x)
      for (int c = 0; c < spec.image_channels; ++c)
        image.push_back(static_cast<float>((5 * x + 3 * y + 40 * c + x * y / 4) % 128) / 64 - 1);
  return image;
}

std::int64_t median(std::vector<std::int64_t>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::int64_t EngineCalibration::inference_ns(int width, int active) const {
  for (const Row& row : rows)
    if (row.width == width && row.active == active) return row.inference_ns;
  return 0;
}

InferenceEngine::InferenceEngine()
    : InferenceEngine(Network::seeded(modified_alexnet(), kWeightSeed)) {}

InferenceEngine::InferenceEngine(Network network, int max_workers)
    : network_(checked(std::move(network))),
      workspace_(network_.spec()),
      pool_(workers_or_all(max_workers)),
      image_(procedural_image(network_.spec())),
      logits_(network_.spec().classes) {}

void InferenceEngine::configure(const Setting& setting) {
  PoolConfig wanted;
  wanted.active = setting.active;
  wanted.cpus = CpuSet::from_mask(setting.cpu_mask);
  if (has_configured_ && wanted == configured_) return;
  has_configured_ = true;
  configured_ = wanted;
  problem_.clear();
  if (const PoolStatus status = pool_.configure(wanted); !status) {
    problem_ = status.message();
    wanted.cpus = {};
    pool_.configure(wanted);
    has_configured_ = false;  // the CPU may be back for the next job
  }
}

void InferenceEngine::infer(int width, int inferences) {
  for (int i = 0; i < inferences; ++i) {
    const InferStatus status = network_.infer(pool_, workspace_, width, image_, logits_);
    if (!status) throw std::invalid_argument(status.message());
  }
}

std::int64_t InferenceEngine::run(const Setting& setting, int inferences) {
  if (setting.active < 1 || setting.active > max_active())
    throw std::invalid_argument(
        fmt::format("active workers {}: the pool has 1 to {}", setting.active, max_active()));
  if (!pool_.set_speed_ratio(setting.speed_ratio))
    throw std::invalid_argument(
        fmt::format("speed ratio {}: it must be above 0 and at most 1", setting.speed_ratio));
  configure(setting);
  const std::int64_t start_ns = monotonic_ns();
  infer(setting.width, inferences);
  const std::int64_t elapsed_ns = monotonic_ns() - start_ns;
  if (const PinReport pins = pool_.pinning(); pins.failures > 0 && problem_.empty()) {
    problem_ = fmt::format("CPU {}: cannot pin to it ({})", pins.cpu, std::strerror(pins.error));
  }
  return elapsed_ns;
}

EngineCalibration InferenceEngine::calibrate(int most_active, std::int64_t budget_ns) {
  const CpuSet cpus = thread_affinity();
  if (most_active < 1 || most_active > max_active()) most_active = max_active();

  struct Candidate {
    EngineCalibration::Row row;
    Setting setting;
    int batch = 1;
    std::vector<std::int64_t> times;
  };
  std::vector<Candidate> candidates;
  for (int width = 0; width < network_.widths(); ++width)
    for (int active = 1; active <= most_active; ++active) {
      Candidate& candidate = candidates.emplace_back();
      candidate.row = {width, active, 0, 0};
      candidate.setting.width = width;
      candidate.setting.active = active;
      candidate.setting.cpu_mask = 0;
      for (int worker = 0; worker < active && cpus.nth(worker) >= 0 && cpus.nth(worker) < 64;
           ++worker)
        candidate.setting.cpu_mask |= std::uint64_t{1} << cpus.nth(worker);
    }

  const std::int64_t start_ns = monotonic_ns();
  for (Candidate& candidate : candidates) {
    run(candidate.setting, 1);  // fills the caches, wakes the workers
    const std::int64_t one_ns = std::max<std::int64_t>(1, run(candidate.setting, 1));
    const std::int64_t share_ns =
        budget_ns / static_cast<std::int64_t>(candidates.size()) / (2 * kLeastBatches);
    candidate.batch =
        static_cast<int>(std::clamp<std::int64_t>(std::min(kBatchNs, share_ns) / one_ns, 1, 1000));
  }
  for (int round = 0; round < kLeastBatches || monotonic_ns() - start_ns < budget_ns; ++round)
    for (Candidate& candidate : candidates)
      candidate.times.push_back(run(candidate.setting, candidate.batch) / candidate.batch);
  pool_.release_caller();

  EngineCalibration calibration;
  for (Candidate& candidate : candidates) {
    candidate.row.batches = static_cast<int>(candidate.times.size());
    candidate.row.inference_ns = median(candidate.times);
    calibration.rows.push_back(candidate.row);
  }
  return calibration;
}

}  // namespace flyball
