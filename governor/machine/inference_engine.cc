#include "governor/machine/inference_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "kernels/base/clock.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

// A thousand times the clock's resolution, and short enough to fit between two time slices of
// another program.
constexpr std::int64_t kBatchNs = 500'000;
constexpr int kLeastBatches = 3;

Network checked(Network network) {
  std::string why;
  if (!choose_operators(&why)) throw Error(Error::Kind::kInput, why);
  return network;
}

int workers_or_all(int workers) {
  return workers > 0 ? workers : std::max(1, thread_affinity().count());
}

/// A pattern with values in [-1, 1) in which neighbouring pixels resemble each other.
std::vector<float> pattern(const NetworkSpec& spec) {
  std::vector<float> image;
  for (int y = 0; y < spec.image_size; ++y)
    for (int x = 0; x < spec.image_size; ++x)
      for (int c = 0; c < spec.image_channels; ++c)
        image.push_back(static_cast<float>((5 * x + 3 * y + 40 * c + x * y / 4) % 128) / 64 - 1);
  return image;
}

double decile(const std::vector<double>& sorted, std::size_t tenths) {
  return sorted[std::min(sorted.size() - 1, sorted.size() * tenths / 10)];
}

}  // namespace

const EngineCalibration::Row* EngineCalibration::find(int width, Precision precision,
                                                      int active) const {
  for (const Row& row : rows)
    if (row.width == width && row.precision == precision && row.active() == active) return &row;
  return nullptr;
}

int EngineCalibration::unstable_rows() const {
  return static_cast<int>(
      std::count_if(rows.begin(), rows.end(), [](const Row& row) { return row.unstable(); }));
}

void EngineCalibration::take_steadier(const EngineCalibration& again) {
  for (Row& row : rows) {
    for (const Row& other : again.rows) {
      const bool same =
          row.width == other.width && row.precision == other.precision && row.cpus == other.cpus;
      if (same && other.spread_pct() < row.spread_pct()) row = other;
    }
  }
  any_pinned = any_pinned || again.any_pinned;
  any_unpinned = any_unpinned || again.any_unpinned;
}

std::vector<CpuSet> growing_cpu_sets(int most) {
  const CpuSet available = thread_affinity();
  const int count = most > 0 ? std::min(most, available.count()) : available.count();
  std::vector<CpuSet> sets;
  CpuSet set;
  for (int i = 0; i < count; ++i) {
    set.add(available.nth(i));
    sets.push_back(set);
  }
  return sets;
}

InferenceEngine::InferenceEngine(Network network, int max_workers)
    : network_(checked(std::move(network))),
      workspace_(network_.spec()),
      pool_(workers_or_all(max_workers)),
      images_{pattern(network_.spec()), {}},
      logits_(network_.spec().classes) {
  if (network_.widths() > kMaxNetworkWidths) {
    input_error("model", fmt::format("it has {} widths", network_.widths()),
                fmt::format("use one of at most {}", kMaxNetworkWidths));
  }
}

void InferenceEngine::use_images(LabelledImages images) {
  const std::size_t values = network_.image_values();
  if (images.labels.empty() || images.images.size() != images.labels.size() * values) {
    input_error("images",
                fmt::format("{} values for {} images of {}", images.images.size(),
                            images.labels.size(), values),
                fmt::format("give at least one image, and {} x {} x {} values each",
                            network_.spec().image_size, network_.spec().image_size,
                            network_.spec().image_channels));
  }
  const auto bad = std::find_if(images.images.begin(), images.images.end(),
                                [](float value) { return !std::isfinite(value); });
  if (bad != images.images.end()) {
    const auto at = static_cast<std::size_t>(bad - images.images.begin());
    input_error(fmt::format("image {}", at / values),
                fmt::format("value {} is {}, no number", at % values, *bad),
                "repair what makes the images");
  }
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    if (images.labels[i] < network_.spec().classes) continue;
    input_error(fmt::format("image {}", i), fmt::format("its label is {}", images.labels[i]),
                fmt::format("the network knows classes 0 to {}", network_.spec().classes - 1));
  }
  images_ = std::move(images);
  next_image_ = 0;
}

void InferenceEngine::use_image(std::span<const float> image) {
  if (image.size() != network_.image_values())
    throw std::invalid_argument(fmt::format("image of {} values: the network sees {}", image.size(),
                                            network_.image_values()));
  images_.images.assign(image.begin(), image.end());
  images_.labels.clear();
  next_image_ = 0;
}

void InferenceEngine::configure(const PoolConfig& wanted) {
  problem_.clear();
  if (has_configured_ && wanted == configured_) return;
  if (const PoolStatus status = pool_.configure(wanted); !status) {
    problem_ = status.message();
    PoolConfig unpinned = wanted;
    unpinned.cpus = {};
    pool_.configure(unpinned);
    has_configured_ = false;  // the CPU may be back for the next job
    return;
  }
  has_configured_ = true;
  configured_ = wanted;
}

std::int64_t InferenceEngine::infer(int width, Precision precision, int inferences) {
  const std::size_t values = network_.image_values();
  const std::int64_t start_ns = monotonic_ns();
  for (int i = 0; i < inferences && !is_cut_short(); ++i) {
    const std::span<const float> image(images_.images.data() + next_image_ * values, values);
    const InferStatus status = network_.infer(pool_, workspace_, width, precision, image, logits_);
    if (!status) throw std::invalid_argument(status.message());
    check_finite(width, precision);
    if (!images_.labels.empty()) count(width, precision);
  }
  const std::int64_t elapsed_ns = monotonic_ns() - start_ns;
  if (const PinReport pins = pool_.pinning(); pins.failures > 0 && problem_.empty()) {
    problem_ = fmt::format("CPU {}: cannot pin to it ({})", pins.cpu, std::strerror(pins.error));
  }
  return elapsed_ns;
}

void InferenceEngine::check_finite(int width, Precision precision) {
  float sum = 0;  // stays zero unless one of them is infinite or no number
  for (const float logit : logits_) sum += 0 * logit;
  if (sum == 0) return;
  int none = kNoDefect;
  defect_.compare_exchange_strong(none, width * kPrecisions + static_cast<int>(precision));
  throw Error(Error::Kind::kFailure, defect());
}

std::string InferenceEngine::defect() const {
  const int defect = defect_.load();
  if (defect == kNoDefect) return {};
  return fmt::format(
      "model, width {} % in {}: its answers are not finite numbers; take another model file, or "
      "train it again",
      network_.width_pct(defect / kPrecisions),
      name_of(static_cast<Precision>(defect % kPrecisions)));
}

std::int64_t InferenceEngine::quick_time_ns(int width) {
  constexpr std::int64_t kStretchNs = 5'000'000;
  pool_.set_speed_ratio(1);
  PoolConfig one;
  one.active = 1;
  one.cpus = CpuSet{std::max(0, thread_affinity().nth(0))};
  configure(one);
  infer(width, Precision::kFloat32, 1);
  const std::int64_t one_ns = std::max<std::int64_t>(1, infer(width, Precision::kFloat32, 1));
  const int batch = static_cast<int>(std::clamp<std::int64_t>(kStretchNs / one_ns, 1, 10'000));
  std::array<std::int64_t, 10> samples_ns;
  for (std::int64_t& sample_ns : samples_ns) {
    // A core that never pauses is faster than one that has jobs.
    std::this_thread::sleep_for(std::chrono::nanoseconds(kStretchNs));
    sample_ns = infer(width, Precision::kFloat32, batch);
  }
  pool_.release_caller();
  std::sort(samples_ns.begin(), samples_ns.end());
  return samples_ns[samples_ns.size() / 4] / batch;
}

void InferenceEngine::count(int width, Precision precision) {
  const auto answer = std::max_element(logits_.begin(), logits_.end()) - logits_.begin();
  // One thread counts: no need for an atomic increment.
  const auto bump = [](std::atomic<std::uint64_t>& n, std::uint64_t by) {
    n.store(n.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  };
  Counter& counter =
      counters_[static_cast<std::size_t>(precision)][static_cast<std::size_t>(width)];
  bump(counter.right, answer == images_.labels[next_image_]);
  bump(counter.total, 1);
  next_image_ = next_image_ + 1 < images_.labels.size() ? next_image_ + 1 : 0;
}

Tally InferenceEngine::tally(int width, Precision precision) const {
  const Counter& counter =
      counters_[static_cast<std::size_t>(precision)][static_cast<std::size_t>(width)];
  return {counter.right.load(std::memory_order_relaxed),
          counter.total.load(std::memory_order_relaxed)};
}

std::int64_t InferenceEngine::run(const Setting& setting, int inferences) {
  if (setting.active < 1 || setting.active > max_active())
    throw std::invalid_argument(
        fmt::format("active workers {}: the pool has 1 to {}", setting.active, max_active()));
  if (!pool_.set_speed_ratio(setting.speed_ratio))
    throw std::invalid_argument(
        fmt::format("speed ratio {}: it must be above 0 and at most 1", setting.speed_ratio));
  PoolConfig wanted;
  wanted.active = setting.active;
  wanted.cpus = setting.cpus;
  configure(wanted);
  return infer(setting.width, setting.int8 ? Precision::kInt8 : Precision::kFloat32, inferences);
}

EngineCalibration InferenceEngine::calibrate(const std::vector<CpuSet>& cpus,
                                             std::int64_t budget_ns,
                                             const std::function<void(double done)>& progress,
                                             std::int64_t pause_ns, const std::atomic<bool>* stop) {
  struct Candidate {
    EngineCalibration::Row row;
    int batch = 1;
    std::vector<double> times_ns = {};
  };
  std::vector<Candidate> candidates;
  for (const CpuSet& set : cpus)
    for (int width = 0; width < network_.widths(); ++width)
      for (const Precision precision : {Precision::kFloat32, Precision::kInt8}) {
        if (precision == Precision::kInt8 && !network_.has_int8()) continue;
        if (set.count() > max_active()) continue;
        candidates.push_back({.row = {.width = width, .precision = precision, .cpus = set}});
      }

  EngineCalibration calibration;
  pool_.set_speed_ratio(1);
  std::string problem;
  const auto run_one = [&](const Candidate& candidate, int inferences) {
    PoolConfig wanted;
    wanted.active = candidate.row.active();
    wanted.cpus = candidate.row.cpus;
    configure(wanted);
    const std::int64_t ns = infer(candidate.row.width, candidate.row.precision, inferences);
    (problem_.empty() ? calibration.any_pinned : calibration.any_unpinned) = true;
    if (problem.empty()) problem = problem_;
    return ns;
  };
  const std::int64_t start_ns = monotonic_ns();
  for (Candidate& candidate : candidates) {
    run_one(candidate, 1);  // fills the caches, wakes the workers
    const std::int64_t one_ns = std::max<std::int64_t>(1, run_one(candidate, 1));
    const std::int64_t share_ns =
        budget_ns / static_cast<std::int64_t>(candidates.size()) / (2 * kLeastBatches);
    candidate.batch =
        static_cast<int>(std::clamp<std::int64_t>(std::min(kBatchNs, share_ns) / one_ns, 1, 1000));
  }
  for (int round = 0; round < kLeastBatches || monotonic_ns() - start_ns < budget_ns; ++round) {
    if (progress) {
      progress(std::min(
          1.0, static_cast<double>(monotonic_ns() - start_ns) / static_cast<double>(budget_ns)));
    }
    for (Candidate& candidate : candidates) {
      if (stop != nullptr && stop->load()) {
        pool_.release_caller();
        return {};
      }
      if (pause_ns > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(pause_ns));
      run_one(candidate, 1);  // the configuration is new to the workers
      candidate.times_ns.push_back(static_cast<double>(run_one(candidate, candidate.batch)) /
                                   candidate.batch);
    }
  }
  pool_.release_caller();
  problem_ = problem;

  for (Candidate& candidate : candidates) {
    std::sort(candidate.times_ns.begin(), candidate.times_ns.end());
    candidate.row.batches = static_cast<int>(candidate.times_ns.size());
    candidate.row.inference_ns = decile(candidate.times_ns, 1);
    candidate.row.median_ns = decile(candidate.times_ns, 5);
    candidate.row.high_ns = decile(candidate.times_ns, 9);
    calibration.rows.push_back(std::move(candidate.row));
  }
  return calibration;
}

}  // namespace flyball
