#include "governor/infer/infer_loop.h"

#include <time.h>

#include <algorithm>
#include <vector>

#include "kernels/base/clock.h"

namespace flyball {
namespace {

/// A signal may come between looking at `stop` and falling asleep.
constexpr std::int64_t kLongestSleepNs = 100'000'000;
/// After a machine that slept there may be thousands; the ring has room for 256.
constexpr std::uint64_t kMostDropsTold = 64;

void sleep_until(std::int64_t until_ns, const std::atomic<bool>& stop) {
  for (std::int64_t now_ns; !stop.load() && (now_ns = monotonic_ns()) < until_ns;) {
    const std::int64_t wake_ns = std::min(until_ns, now_ns + kLongestSleepNs);
    const timespec at{wake_ns / 1'000'000'000, wake_ns % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
  }
}

class InferLoop {
 public:
  InferLoop(InferenceEngine& engine, GovernedNetwork& network, const JobImages& images,
            const JobPlan& plan, const InferEvents& events)
      : engine_(engine),
        network_(network),
        images_(images),
        plan_(plan),
        events_(events),
        seen_(engine.network().image_values()),
        start_ns_(monotonic_ns()) {}

  InferTotals run(const std::atomic<bool>& stop) {
    bool wanted = true;
    while (wanted && !stop.load() && !is_over(next_)) {
      const std::int64_t release_ns = wait_for_release(stop);
      if (stop.load() || is_over(next_)) break;
      const JobResult result = run_job(release_ns);
      if (network_.has_changed_hands()) events_.changed_hands(result.work.governed);
      if (const std::string& problem = engine_.problem(); !problem.empty() && problem != problem_) {
        problem_ = problem;
        events_.problem(problem_);
      }
      wanted = events_.done(result);
      ++next_;
    }
    engine_.release_thread();
    totals_.elapsed_ns = monotonic_ns() - start_ns_;
    totals_.complete = is_over(next_);
    return totals_;
  }

 private:
  std::int64_t release_of(std::uint64_t sequence) const {
    return start_ns_ + static_cast<std::int64_t>(sequence) * plan_.period_ns;
  }
  /// Of a plan with a period, jobs that would be released at its end are none of it.
  bool is_over(std::uint64_t sequence) const {
    if (plan_.jobs > 0 && sequence >= plan_.jobs) return true;
    if (plan_.duration_ns == 0) return false;
    const std::int64_t release_ns = plan_.period_ns > 0 ? release_of(sequence) : monotonic_ns();
    return release_ns >= start_ns_ + plan_.duration_ns;
  }

  std::int64_t wait_for_release(const std::atomic<bool>& stop) {
    if (plan_.period_ns == 0) return monotonic_ns();
    const std::int64_t now_ns = monotonic_ns();
    if (release_of(next_) > now_ns) {
      events_.idle();
      sleep_until(release_of(next_), stop);
    }
    drop_overtaken();
    return release_of(next_);
  }

  /// The newest job that has been released is the next one.
  void drop_overtaken() {
    const std::int64_t now_ns = monotonic_ns();
    const auto newest = static_cast<std::uint64_t>((now_ns - start_ns_) / plan_.period_ns);
    std::uint64_t told = 0;
    for (; next_ < newest && !is_over(next_); ++next_) {
      ++totals_.dropped;
      if (told++ < kMostDropsTold) network_.report_dropped(release_of(next_));
    }
  }

  JobResult run_job(std::int64_t release_ns) {
    JobResult result;
    result.sequence = next_;
    result.image = static_cast<std::size_t>(next_ % images_.images.size());
    normalise(images_.images.image(result.image), seen_);
    engine_.use_image(seen_);
    result.work = network_.begin(release_ns);
    JobEngine::Setting& setting = result.work.setting;
    setting.active = std::min(setting.active, engine_.max_active());
    engine_.run(setting, 1);
    network_.end();
    result.latency_ns = monotonic_ns() - release_ns;
    result.late = plan_.deadline_ns > 0 && result.latency_ns > plan_.deadline_ns;
    const std::vector<float>& logits = engine_.logits();
    result.answer =
        static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    count(result);
    return result;
  }

  void count(const JobResult& result) {
    ++totals_.jobs;
    totals_.late += result.late;
    totals_.governed += result.work.governed;
    totals_.right += images_.labelled && result.answer == images_.images.labels[result.image];
    totals_.latency_ns.add(result.latency_ns);
  }

  InferenceEngine& engine_;
  GovernedNetwork& network_;
  const JobImages& images_;
  const JobPlan plan_;
  const InferEvents& events_;
  std::vector<float> seen_;
  const std::int64_t start_ns_;
  std::uint64_t next_ = 0;
  std::string problem_;
  InferTotals totals_;
};

}  // namespace

InferTotals run_infer(InferenceEngine& engine, GovernedNetwork& network, const JobImages& images,
                      const JobPlan& plan, const std::atomic<bool>& stop,
                      const InferEvents& events) {
  return InferLoop(engine, network, images, plan, events).run(stop);
}

}  // namespace flyball
