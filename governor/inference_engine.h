#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "env/emulated/job_engine.h"
#include "kernels/dnn/network.h"
#include "kernels/dnn/workspace.h"
#include "kernels/pool/pool.h"

namespace flyball {

/// Time of one inference at full speed, undisturbed as far as the machine allows.
struct EngineCalibration {
  struct Row {
    int width = 0;
    int active = 1;
    std::int64_t inference_ns = 0;  ///< median of the batches
    int batches = 0;
  };
  std::vector<Row> rows;                                   ///< by width, then by active workers
  std::int64_t inference_ns(int width, int active) const;  ///< 0 when it was not measured
};

/// The jobs of the emulated platform: inferences of the dynamic-width network in the pinned worker
/// pool, on an image that is always the same (an inference costs the same whatever it sees).
class InferenceEngine : public JobEngine {
 public:
  /// Seeded weights, and a worker for every CPU that this process may use. Throws Error (kInput)
  /// when the environment variable FLYBALL_SIMD asks for what this machine lacks, std::system_error
  /// when it has no room for the threads.
  InferenceEngine();
  explicit InferenceEngine(Network network, int max_workers = 0);  ///< 0: as above

  /// A CPU that cannot be had (it went offline) leaves the workers unpinned for this job; `problem`
  /// then names it. Throws std::invalid_argument when the setting is out of range.
  std::int64_t run(const Setting& setting, int inferences) override;
  void set_speed_ratio(double ratio) override { pool_.set_speed_ratio(ratio); }
  int max_active() const override { return pool_.max_workers(); }
  void release_thread() override { pool_.release_caller(); }

  /// Measures every width on 1 to `most_active` workers (0: all), at full speed, in turns so that a
  /// disturbance hits all of them, until `budget_ns` is used up but at least three batches each.
  /// From the thread that calls `run`, or none does.
  EngineCalibration calibrate(int most_active = 0, std::int64_t budget_ns = 1'000'000'000);

  Pool& pool() { return pool_; }
  const Network& network() const { return network_; }
  /// The logits of the last inference.
  const std::vector<float>& logits() const { return logits_; }
  /// Why the last job ran unpinned; empty when it did not.
  const std::string& problem() const { return problem_; }

 private:
  void configure(const Setting& setting);
  void infer(int width, int inferences);

  Network network_;
  Workspace workspace_;
  Pool pool_;
  std::vector<float> image_;
  std::vector<float> logits_;
  PoolConfig configured_;
  bool has_configured_ = false;
  std::string problem_;
};

}  // namespace flyball
