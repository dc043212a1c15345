#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "env/emulated/job_engine.h"
#include "kernels/dnn/network.h"
#include "kernels/dnn/workspace.h"
#include "kernels/pool/pool.h"

namespace flyball {

/// Time of one inference at full speed, undisturbed as far as the machine allows.
struct EngineCalibration {
  /// Half the distance of the deciles, in percent of the median, from which on times are unstable:
  /// an idle machine stays below 10, one that is shared reaches hundreds.
  static constexpr double kUnstablePct = 30;
  struct Row {
    int width = 0;
    Precision precision = Precision::kFloat32;
    CpuSet cpus;              ///< that the workers are pinned to, one each
    double inference_ns = 0;  ///< first decile of the batches: most of them may be disturbed
    double median_ns = 0;
    double high_ns = 0;  ///< last decile
    int batches = 0;
    int active() const { return cpus.count(); }
    /// Half the distance of the two deciles, in percent of the median.
    double spread_pct() const { return 50 * (high_ns - inference_ns) / median_ns; }
    bool unstable() const { return spread_pct() > kUnstablePct; }
  };
  std::vector<Row> rows;      ///< by CPUs, then by width, then fp32 before int8
  bool any_pinned = false;    ///< some batch ran pinned
  bool any_unpinned = false;  ///< some batch did not
  const Row* find(int width, Precision precision, int active) const;  ///< nullptr: not measured
  int unstable_rows() const;
  /// Takes the rows of `again`, of the same sets of CPUs, that are steadier than its own.
  void take_steadier(const EngineCalibration& again);
};

/// Images that jobs look at, with what they show.
struct LabelledImages {
  std::vector<float> images;         ///< [image][row][column][channel], as the network sees them
  std::vector<std::uint8_t> labels;  ///< [image]
};

/// How many images were recognised.
struct Tally {
  std::uint64_t right = 0, total = 0;
  double pct() const {
    return total > 0 ? 100.0 * static_cast<double>(right) / static_cast<double>(total) : 0;
  }
  friend Tally operator-(Tally a, const Tally& b) { return {a.right - b.right, a.total - b.total}; }
};

/// The jobs of the emulated platform: inferences of the dynamic-width network in the pinned worker
/// pool. Each inference takes the next image, and its answer is counted: the accuracy monitor.
class InferenceEngine : public JobEngine {
 public:
  /// A worker for every CPU that this process may use (`max_workers` 0). All images are the same
  /// pattern, whose answers are not counted, until use_images(). Throws Error (kInput) when the
  /// environment variable FLYBALL_SIMD asks for what this machine lacks, std::system_error when it
  /// has no room for the threads.
  explicit InferenceEngine(Network network, int max_workers = 0);

  /// From the next inference on, in turn. Throws Error (kInput) that names the image when one is of
  /// another size or has a value that is no number, or a label that is no class; then nothing has
  /// changed. From the thread that calls `run`, or before it does.
  void use_images(LabelledImages images);
  /// From the next inference on this one alone, whose answers are not counted: for those who bring
  /// an image with each job. Throws std::invalid_argument when it is of another size.
  void use_image(std::span<const float> image);
  /// How many images there are before the first one comes again; 0: none with known answers.
  std::size_t distinct_images() const { return images_.labels.size(); }

  /// What check_answers() says of a model, of the first inference whose answer was not finite; empty
  /// when there was none. `run` and `calibrate` throw it. From any thread.
  std::string defect() const;

  /// A CPU that cannot be had (it went offline) leaves the workers unpinned for this job; `problem`
  /// then names it. Without any CPU they run wherever Linux puts them. Throws std::invalid_argument when the setting is out of range; the engine can
  /// be used as before.
  std::int64_t run(const Setting& setting, int inferences) override;
  void set_speed_ratio(double ratio) override { pool_.set_speed_ratio(ratio); }
  int max_active() const override { return pool_.max_workers(); }
  std::vector<int> thread_ids() const override { return pool_.thread_ids(); }
  void release_thread() override { pool_.release_caller(); }

  /// Measures every width and precision on each of the sets of CPUs, at full speed, in turns so
  /// that a disturbance hits all of them, until `budget_ns` is used up but at least three batches
  /// each. From the thread that calls `run`, or none does. `progress` hears the share that is done.
  /// A core that pauses for `pause_ns` before each batch, as it does between jobs, may be a quarter
  /// slower than one that never does. Stopped, it has no rows.
  EngineCalibration calibrate(const std::vector<CpuSet>& cpus, std::int64_t budget_ns,
                              const std::function<void(double done)>& progress = {},
                              std::int64_t pause_ns = 0, const std::atomic<bool>* stop = nullptr);
  /// Time of one inference in fp32 at `width` on one CPU now, from a few stretches of 5 ms: 0.1 s.
  /// From the thread that calls `run`, or none does.
  std::int64_t quick_time_ns(int width);

  Pool& pool() { return pool_; }
  const Network& network() const { return network_; }
  /// The logits of the last inference.
  const std::vector<float>& logits() const { return logits_; }
  /// Of all inferences at this width and precision so far; from any thread.
  Tally tally(int width, Precision precision) const;
  /// Why the last job, or one of the last calibration, ran unpinned; empty when none did.
  const std::string& problem() const override { return problem_; }

 private:
  struct Counter {
    std::atomic<std::uint64_t> right{0}, total{0};
  };
  static constexpr int kMaxNetworkWidths = 16;

  void configure(const PoolConfig& wanted);
  std::int64_t infer(int width, Precision precision, int inferences);
  void count(int width, Precision precision);
  void check_finite(int width, Precision precision);

  Network network_;
  Workspace workspace_;
  Pool pool_;
  LabelledImages images_;
  std::size_t next_image_ = 0;
  std::vector<float> logits_;
  std::array<std::array<Counter, kMaxNetworkWidths>, kPrecisions> counters_;
  PoolConfig configured_;
  bool has_configured_ = false;
  std::string problem_;
  std::atomic<int> defect_{kNoDefect};  ///< width and precision of the first one
  static constexpr int kNoDefect = -1;
};

/// The first CPU that this process may use, the first two, and so on up to `most` of them (0: all).
std::vector<CpuSet> growing_cpu_sets(int most = 0);

}  // namespace flyball
