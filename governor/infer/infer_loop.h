#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "governor/infer/governed_network.h"
#include "governor/infer/job_images.h"
#include "governor/metrics/histogram.h"

namespace flyball {

/// When jobs come, and how many.
struct JobPlan {
  std::int64_t period_ns = 0;    ///< 0: the next one when one is done
  std::int64_t deadline_ns = 0;  ///< after the release; 0: none
  std::uint64_t jobs = 0;        ///< 0: without an end
  std::int64_t duration_ns = 0;  ///< 0: without an end
};

struct JobResult {
  std::uint64_t sequence = 0;
  std::size_t image = 0;
  int answer = 0;               ///< the class
  std::int64_t latency_ns = 0;  ///< from the release
  bool late = false;
  GovernedNetwork::Work work;
};

struct InferTotals {
  std::uint64_t jobs = 0, late = 0, dropped = 0;
  std::uint64_t governed = 0;  ///< jobs with a governor
  std::uint64_t right = 0;     ///< of those whose images have labels
  std::int64_t elapsed_ns = 0;
  bool complete = false;  ///< the jobs or the time that the plan has; not stopped before
  DurationHistogram latency_ns;
};

/// What a loop tells meanwhile.
struct InferEvents {
  std::function<bool(const JobResult&)> done;  ///< false: enough
  std::function<void(bool governed)> changed_hands;
  std::function<void(const std::string&)> problem;  ///< CPUs that cannot be had, once each
  std::function<void()> idle;                       ///< before it waits for the next job
};

/// Runs the plan until `stop`. A camera has only its newest picture: a job that has not begun when the
/// next is released never does, and counts as dropped. Throws Error (kFailure) for a model whose
/// answers are no numbers.
InferTotals run_infer(InferenceEngine& engine, GovernedNetwork& network, const JobImages& images,
                      const JobPlan& plan, const std::atomic<bool>& stop,
                      const InferEvents& events);

}  // namespace flyball
