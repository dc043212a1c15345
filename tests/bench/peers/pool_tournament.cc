#include "tests/bench/peers/pool_tournament.h"

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "kernels/base/clock.h"
#include "kernels/pool/topology.h"

namespace flyball::bench {
namespace {

constexpr int kWarmUpCalls = 50;
constexpr int kCalls = 400;

struct alignas(64) Flag {
  std::atomic<std::uint64_t> value{0};
};

struct Context {
  std::uint64_t call = 0;
  pthread_t caller = pthread_self();
  alignas(64) Flag arrived[2];
};

void do_nothing(void*, std::size_t) {}

void meet(void* context, std::size_t i) {
  Context& meeting = *static_cast<Context*>(context);
  meeting.arrived[i].value.store(meeting.call, std::memory_order_release);
  while (meeting.arrived[1 - i].value.load(std::memory_order_acquire) != meeting.call) {
  }
}

/// 800 dependent multiplications of four cycles each.
void work(void*, std::size_t i) {
  std::uint64_t value = i;
  for (int step = 0; step < 800; ++step) {
    value = value * 6364136223846793005u + 1;
    asm volatile("" : "+r"(value));
  }
}

/// As meet(), and each pins itself: the caller to CPU 0, the other one to CPU 1.
void meet_and_pin(void* context, std::size_t i) {
  const bool caller = pthread_equal(static_cast<Context*>(context)->caller, pthread_self()) != 0;
  set_thread_affinity(pthread_self(), {caller ? 0 : 1});
  meet(context, i);
}

Item item_of(PoolTask task) {
  return task == PoolTask::kEmpty ? do_nothing : task == PoolTask::kMeet ? meet : work;
}

double time_call(PoolContender& pool, Item item, Context& context) {
  ++context.call;
  const std::int64_t from = monotonic_ns();
  pool.parallel_for(2, item, &context);
  return static_cast<double>(monotonic_ns() - from);
}

template <class Call>
double least_ns(Call&& call) {
  double least = 1e9;
  for (int i = 0; i < 10'000; ++i) {
    const std::int64_t from = monotonic_ns();
    call();
    least = std::min(least, static_cast<double>(monotonic_ns() - from));
  }
  return least;
}

}  // namespace

const char* name_of(PoolTask task) {
  return task == PoolTask::kEmpty ? "empty" : task == PoolTask::kMeet ? "meet" : "work";
}

std::vector<std::vector<PoolTimes>> pool_tournament(const std::vector<PoolVariant>& variants,
                                                    int rounds) {
  const CpuSet before = thread_affinity();
  const double clock_ns = least_ns([] {});
  const double work_ns = least_ns([] { work(nullptr, 0); });

  std::vector<std::vector<PoolTimes>> results(variants.size(),
                                              std::vector<PoolTimes>(std::size(kPoolTasks)));
  std::vector<std::vector<std::vector<double>>> medians(
      variants.size(), std::vector<std::vector<double>>(std::size(kPoolTasks)));
  std::vector<double> times(kCalls);
  for (int round = 0; round < rounds; ++round)
    for (std::size_t v = 0; v < variants.size(); ++v) {
      Context context;
      set_thread_affinity(pthread_self(), before);  // which new threads inherit
      const std::unique_ptr<PoolContender> pool = variants[v].make();
      for (int i = 0; i < 20; ++i) time_call(*pool, meet_and_pin, context);
      for (std::size_t t = 0; t < std::size(kPoolTasks); ++t) {
        const Item item = item_of(kPoolTasks[t]);
        for (int i = 0; i < kWarmUpCalls; ++i) time_call(*pool, item, context);
        for (double& time : times)
          time = time_call(*pool, item, context) -
                 (kPoolTasks[t] == PoolTask::kWork ? work_ns : clock_ns);
        std::sort(times.begin(), times.end());
        const double p50 = times[kCalls / 2];
        medians[v][t].push_back(p50);
        PoolTimes& best = results[v][t];
        if (round == 0 || p50 < best.p50_ns) best = {p50, times[kCalls * 99 / 100], 0};
      }
    }
  for (std::size_t v = 0; v < variants.size(); ++v)
    for (std::size_t t = 0; t < std::size(kPoolTasks); ++t) {
      std::sort(medians[v][t].begin(), medians[v][t].end());
      results[v][t].typical_p50_ns = medians[v][t][medians[v][t].size() / 2];
    }
  set_thread_affinity(pthread_self(), before);
  return results;
}

}  // namespace flyball::bench
