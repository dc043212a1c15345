#pragma once

#include <array>
#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "env/emulated/counter_factory.h"
#include "env/emulated/job_engine.h"
#include "env/ledger/arrivals.h"
#include "env/ledger/job_ledger.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "env/spaces/counters.h"
#include "kernels/base/cpu_set.h"
#include "kernels/base/doorbell.h"

namespace flyball {

/// A CPU set that one thread writes and others read, whole: half of the CPUs before and half of
/// those after may be none at all. A sequence lock (Boehm, "Can seqlocks get along with programming
/// language memory models?", MSPC 2012): odd while it is written.
class SharedCpuSet {
 public:
  CpuSet load() const {
    for (;;) {
      const std::uint32_t before = sequence_.load(std::memory_order_acquire);
      CpuSet set;
      for (int w = 0; w < CpuSet::kWords; ++w) {
        set.set_word(w, words_[static_cast<std::size_t>(w)].load(std::memory_order_relaxed));
      }
      std::atomic_thread_fence(std::memory_order_acquire);
      if (before % 2 == 0 && sequence_.load(std::memory_order_relaxed) == before) return set;
      std::this_thread::yield();
    }
  }
  void store(const CpuSet& set) {
    const std::uint32_t before = sequence_.load(std::memory_order_relaxed);
    sequence_.store(before + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    for (int w = 0; w < CpuSet::kWords; ++w) {
      words_[static_cast<std::size_t>(w)].store(set.word(w), std::memory_order_relaxed);
    }
    sequence_.store(before + 2, std::memory_order_release);
  }

 private:
  std::atomic<std::uint32_t> sequence_{0};
  std::array<std::atomic<std::uint64_t>, CpuSet::kWords> words_{};
};

/// The knobs as a job finds them when it starts. Written by the machine thread, read by the
/// executor.
struct LiveKnobs {
  std::array<std::atomic<std::uint8_t>, kMaxClusters> opp{};
  std::array<std::atomic<std::uint16_t>, kMaxApps> setting{};  ///< mapping * 256 + level
  SharedCpuSet cpus;                                           ///< available to the process

  AppSetting app(int a) const {
    const std::uint16_t packed =
        setting[static_cast<std::size_t>(a)].load(std::memory_order_acquire);
    return {static_cast<std::uint8_t>(packed >> 8), static_cast<std::uint8_t>(packed & 255)};
  }
  void set_app(int a, AppSetting value) {
    setting[static_cast<std::size_t>(a)].store(
        static_cast<std::uint16_t>(value.mapping * 256 + value.level), std::memory_order_release);
  }
};

/// Speed of a mapping relative to the same cores at their highest OPP: the mean of freq / highest
/// freq over its cores.
double speed_ratio(const PlatformSpec& spec, const Mapping& mapping, const LiveKnobs& knobs);

/// A job that may run.
struct ReadyJob {
  std::int64_t release_ns = 0;
  std::int64_t deadline_ns = kNeverNs;  ///< absolute
  int inferences = 1;
  int priority = 1;
  std::uint8_t app = 0;
};
/// Of a job that takes `job_ns` at work 1: a whole number, at least one.
int whole_inferences(double job_ns, std::int64_t inference_ns);
/// The newest job of an application, `inferences` of which are one of work 1; its work becomes that of
/// the whole number of them that it is.
ReadyJob newest_job(LedgerApp& app, int index, double inferences);

/// Counters of jobs, or parts of them; what one of them lacks, the sum lacks.
class CounterSum {
 public:
  void add(const Counters& job, double part = 1) {
    sum_.add(job, part, !any_);
    any_ = true;
  }
  const Counters& counters() const { return sum_; }

 private:
  Counters sum_;
  bool any_ = false;
};

/// A start or a finish, from the executor to the machine thread. Absolute monotonic time.
struct JobEvent {
  enum class Kind : std::uint8_t { kStarted, kFinished };
  Kind kind = Kind::kStarted;
  std::uint8_t app = 0;
  AppSetting setting;
  CpuSet cpus;  ///< that it really runs on
  std::int64_t at_ns = 0;
  double speed_ratio = 1;  ///< that it started with
  Counters counters;       ///< of a finished job
};

/// The thread that runs jobs, one after another. One other thread submits and listens.
class Executor {
 public:
  /// Rings `listener` at every event.
  Executor(const PlatformSpec& spec, const Scenario& scenario, JobEngine& engine,
           const LiveKnobs& knobs, Doorbell& listener);
  ~Executor();

  /// Counters of the threads that run jobs; before start().
  void count_with(CounterFactory factory) { counter_factory_ = std::move(factory); }
  /// Which CPUs each cluster has, where the platform knows; before start().
  void place_on(std::vector<CpuSet> clusters) { clusters_ = std::move(clusters); }
  /// nullptr when there are none; does not change after start().
  const CounterSource* counters() const { return counters_.get(); }
  /// Starts the thread. With `measure`, it first measures one inference of the whole network, for
  /// which the caller waits, and the answer is its time in ns. Throws Error (kFailure).
  std::int64_t start(bool measure);
  /// Takes no more jobs; the one that runs is cut short. Neither blocks nor allocates.
  void close();
  /// Closes and waits for the inference that runs, at full speed. Further calls do nothing.
  void stop();

  /// false when the application's queue is full: it has room for twice its queue_limit, for the
  /// caller counts the backlog.
  bool submit(const ReadyJob& job);
  /// The oldest event, or nullptr.
  const JobEvent* event() const {
    return events_.read_available() > 0 ? &events_.front() : nullptr;
  }
  void pop_event() { events_.pop(); }
  /// Linux's numbers of all threads that jobs run on; once started.
  const std::vector<int>& thread_ids() const { return thread_ids_; }
  /// The first problem that the engine reported and worked around, or nullptr.
  const char* problem() const {
    return has_problem_.load(std::memory_order_acquire) ? problem_.data() : nullptr;
  }
  /// The engine threw: no job runs any more. The reason, or nullptr.
  const char* failure_reason() const {
    return failed_.load(std::memory_order_acquire) ? reason_.data() : nullptr;
  }

 private:
  void body(bool with_measurement);
  void loop();
  void run(const ReadyJob& job);
  int choose() const;
  std::int64_t measure();
  void fail(const char* reason);
  void read_counters(JobEvent* event);

  const PlatformSpec& spec_;
  const Scenario& scenario_;
  JobEngine& engine_;
  const LiveKnobs& knobs_;
  Doorbell& listener_;
  Doorbell bell_;
  std::vector<std::unique_ptr<boost::lockfree::spsc_queue<ReadyJob>>> queues_;
  boost::lockfree::spsc_queue<JobEvent> events_;
  std::array<CpuSet, kMaxApps> last_cpus_;  ///< the executor's own: of each application's last job
  std::atomic<bool> stop_{false};
  std::atomic<bool> failed_{false};
  std::array<char, 160> reason_{};
  std::int64_t measured_ns_ = 0;  ///< guarded by `ready_`
  std::atomic<bool> ready_{false};
  std::atomic<bool> ended_{false};  ///< the thread has done all it does
  std::vector<CpuSet> clusters_;    ///< empty: those that are available, in their order
  std::vector<int> thread_ids_;     ///< guarded by `ready_`
  CounterFactory counter_factory_;
  std::unique_ptr<CounterSource> counters_;  ///< guarded by `ready_`, then the executor's
  Doorbell ready_bell_;                      ///< rings for both
  std::atomic<bool> has_problem_{false};
  std::array<char, 160> problem_{};
  std::thread thread_;
};

}  // namespace flyball
