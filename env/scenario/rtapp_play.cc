#include <algorithm>
#include <deque>
#include <queue>

#include "env/scenario/rtapp.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr std::int64_t kNever = -1;
constexpr int kMaxEventsAtOnce = 10'000;  // of a thread, while no time passes
constexpr std::size_t kMaxJobs = 1'000'000;
constexpr std::uint64_t kMaxTurns = 3'000'000;  // of all threads

struct Thread {
  const RtAppTask* task = nullptr;
  std::int64_t started_ns = 0;
  std::int64_t now_ns = 0;
  std::int64_t loops = 0, phase_loops = 0;
  std::size_t phase = 0, event = 0;
  int relock = -1;  ///< a mutex to take before it goes on
  bool ended = false;
  RtAppJob job;  ///< that is under way
};

struct Resource {
  bool locked = false;
  std::deque<int> lockers, waiters, suspended;
  std::int64_t next_ns = kNever;  ///< of a timer
};

class Play {
 public:
  explicit Play(const RtAppFile& file)
      : file_(file), resources_(static_cast<std::size_t>(file.resources)) {
    for (const RtAppTask& task : file.tasks) {
      for (int i = 0; i < task.instances; ++i) {
        Thread thread;
        thread.task = &task;
        thread.started_ns = thread.now_ns = thread.job.release_ns = task.delay_ns;
        threads_.push_back(thread);
      }
    }
    own_timers_.resize(threads_.size());
    jobs_.resize(threads_.size());
  }

  std::vector<std::vector<RtAppJob>> run() {
    for (std::size_t t = 0; t < threads_.size(); ++t) wake(static_cast<int>(t), 0);
    while (!ready_.empty()) {
      const Ready next = ready_.top();
      ready_.pop();
      if (next.at_ns >= file_.duration_ns) break;
      turns_ = next.at_ns == last_ns_ ? turns_ + 1 : 0;
      last_ns_ = next.at_ns;
      if (order_ > kMaxTurns) {
        input_error(threads_[static_cast<std::size_t>(next.thread)].task->where,
                    "the file's threads wake more than three million times",
                    "make 'duration' shorter");
      }
      if (turns_ > kMaxEventsAtOnce) endless(threads_[static_cast<std::size_t>(next.thread)]);
      go_on(next.thread);
    }
    for (std::size_t t = 0; t < threads_.size(); ++t) close_job(threads_[t], t);
    return std::move(jobs_);
  }

 private:
  struct Ready {
    std::int64_t at_ns;
    std::uint64_t order;  ///< first come, first served
    int thread;
    bool operator<(const Ready& other) const {
      return at_ns != other.at_ns ? at_ns > other.at_ns : order > other.order;
    }
  };

  void wake(int t, std::int64_t now_ns) {
    Thread& thread = threads_[static_cast<std::size_t>(t)];
    thread.now_ns = std::max(thread.now_ns, now_ns);
    ready_.push({thread.now_ns, order_++, t});
  }

  /// What was run until now is a job; the next begins when the thread wakes.
  void close_job(Thread& thread, std::size_t t) {
    if (thread.job.run_ns + thread.job.runtime_ns > 0) {
      jobs_[t].push_back(thread.job);
      if (++job_count_ > kMaxJobs) {
        input_error(thread.task->where, "the file plays more than a million activations",
                    "make 'duration' shorter");
      }
    }
    thread.job = {};
  }

  void sleep_until(int t, std::int64_t until_ns) {
    Thread& thread = threads_[static_cast<std::size_t>(t)];
    close_job(thread, static_cast<std::size_t>(t));
    wake(t, until_ns);
    thread.job.release_ns = thread.now_ns;
  }

  [[noreturn]] static void endless(const Thread& thread) {
    input_error(thread.task->where, "the thread goes on for ever and no time passes",
                "give it a 'run', a 'sleep' or a 'timer'");
  }

  /// Until somebody wakes it.
  void block(int t, std::deque<int>& queue) {
    close_job(threads_[static_cast<std::size_t>(t)], static_cast<std::size_t>(t));
    queue.push_back(t);
  }

  void unblock(std::deque<int>& queue, std::int64_t now_ns) {
    const int t = queue.front();
    queue.pop_front();
    threads_[static_cast<std::size_t>(t)].job.release_ns = now_ns;
    wake(t, now_ns);
  }

  Resource& resource(int r) { return resources_[static_cast<std::size_t>(r)]; }

  void unlock(int r, std::int64_t now_ns) {
    Resource& mutex = resource(r);
    mutex.locked = !mutex.lockers.empty();  // handed over
    if (mutex.locked) unblock(mutex.lockers, now_ns);
  }

  /// False: it waits.
  bool lock(int t, int r) {
    Resource& mutex = resource(r);
    if (!mutex.locked) return mutex.locked = true;
    block(t, mutex.lockers);
    return false;
  }

  std::int64_t& timer(int t, const RtAppEvent& event) {
    if (!event.own) return resource(event.resource).next_ns;
    auto& own = own_timers_[static_cast<std::size_t>(t)];
    for (auto& [name, next_ns] : own) {
      if (name == event.resource) return next_ns;
    }
    return own.emplace_back(event.resource, kNever).second;
  }

  /// Steps to the next event; false when the thread is done.
  static bool find_event(Thread& thread) {
    const RtAppTask& task = *thread.task;
    while (thread.event >= task.phases[thread.phase].events.size()) {
      thread.event = 0;
      if (++thread.phase_loops < task.phases[thread.phase].loops) continue;
      thread.phase_loops = 0;
      if (++thread.phase < task.phases.size()) continue;
      thread.phase = 0;
      ++thread.loops;
      if (task.loops >= 0 && thread.loops >= task.loops) return false;
    }
    return true;
  }

  /// One thread until it waits.
  void go_on(int t) {
    Thread& thread = threads_[static_cast<std::size_t>(t)];
    int events = 0;
    if (thread.relock >= 0) {
      const int mutex = thread.relock;
      thread.relock = -1;
      if (!lock(t, mutex)) return;
    }
    while (find_event(thread)) {
      if (++events > kMaxEventsAtOnce) endless(thread);
      const RtAppEvent& event = thread.task->phases[thread.phase].events[thread.event++];
      if (!perform(t, thread, event)) return;
    }
    close_job(thread, static_cast<std::size_t>(t));
  }

  /// False when the thread waits, or time passes.
  bool perform(int t, Thread& thread, const RtAppEvent& event) {
    using Kind = RtAppEvent::Kind;
    const std::int64_t now_ns = thread.now_ns;
    switch (event.kind) {
      case Kind::kRun:
      case Kind::kRuntime:
        (event.kind == Kind::kRun ? thread.job.run_ns : thread.job.runtime_ns) += event.ns;
        if (event.ns == 0) return true;
        wake(t, now_ns + event.ns);
        return false;
      case Kind::kSleep:
        sleep_until(t, now_ns + event.ns);
        return false;
      case Kind::kTimer: {
        std::int64_t& next_ns = timer(t, event);
        next_ns = (next_ns == kNever ? thread.started_ns : next_ns) + event.ns;
        if (next_ns <= now_ns) {
          if (!event.absolute) next_ns = now_ns;
          close_job(thread, static_cast<std::size_t>(t));
          thread.job.release_ns = now_ns;
          return true;
        }
        sleep_until(t, next_ns);
        return false;
      }
      case Kind::kSuspend:
        block(t, resource(event.resource).suspended);
        return false;
      case Kind::kResume: {
        auto& suspended = resource(event.resource).suspended;
        while (!suspended.empty()) unblock(suspended, now_ns);
        return true;
      }
      case Kind::kLock:
        return lock(t, event.resource);
      case Kind::kUnlock:
        unlock(event.resource, now_ns);
        return true;
      case Kind::kWait:
        thread.relock = event.mutex;
        block(t, resource(event.resource).waiters);
        unlock(event.mutex, now_ns);
        return false;
      case Kind::kSignal:
      case Kind::kBroadcast: {
        auto& waiters = resource(event.resource).waiters;
        while (!waiters.empty()) {
          unblock(waiters, now_ns);
          if (event.kind == Kind::kSignal) break;
        }
        return true;
      }
    }
    return true;
  }

  const RtAppFile& file_;
  std::vector<Thread> threads_;
  std::vector<Resource> resources_;
  std::vector<std::vector<std::pair<int, std::int64_t>>> own_timers_;
  std::vector<std::vector<RtAppJob>> jobs_;
  std::priority_queue<Ready> ready_;
  std::uint64_t order_ = 0;
  std::size_t job_count_ = 0;
  std::int64_t last_ns_ = kNever;
  int turns_ = 0;  ///< at that time
};

}  // namespace

std::vector<std::vector<RtAppJob>> play_rtapp(const RtAppFile& file) { return Play(file).run(); }

}  // namespace flyball
