#include "tests/bench/peers/pool_peers.h"

#include <omp.h>
#include <pthreadpool.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <atomic>
#include <thread>

#include "kernels/pool/pool.h"
#include "kernels/pool/spin.h"

namespace flyball::bench {
namespace {

/// Its default spin budget of 50 us; pinned.
class FlyballPool : public PoolContender {
 public:
  FlyballPool() {
    PoolConfig config;
    config.active = 2;
    config.cpus = {0, 1};
    pool_.configure(config);
  }
  void parallel_for(std::size_t n, Item item, void* context) override {
    pool_.parallel_for(n, [=](int, std::size_t i) { item(context, i); });
  }

 private:
  Pool pool_{2};
};

/// Spins between jobs unless told to yield, for about a million pauses.
template <std::uint32_t kFlags>
class Pthreadpool : public PoolContender {
 public:
  ~Pthreadpool() override { pthreadpool_destroy(pool_); }
  void parallel_for(std::size_t n, Item item, void* context) override {
    pthreadpool_parallelize_1d(pool_, item, context, n, kFlags);
  }

 private:
  const pthreadpool_t pool_ = pthreadpool_create(2);
};

/// With OMP_WAIT_POLICY=active (set in the environment of the benchmark) its threads spin, always.
class Libgomp : public PoolContender {
 public:
  ~Libgomp() override { omp_pause_resource_all(omp_pause_hard); }  // ends them
  void parallel_for(std::size_t n, Item item, void* context) override {
#pragma omp parallel for num_threads(2) schedule(static)
    for (std::size_t i = 0; i < n; ++i) item(context, i);
  }
};

template <class Partitioner>
class OneTbb : public PoolContender {
 public:
  void parallel_for(std::size_t n, Item item, void* context) override {
    arena_.execute([&] {
      tbb::parallel_for(
          std::size_t{0}, n, [=](std::size_t i) { item(context, i); }, Partitioner());
    });
  }

 private:
  tbb::global_control two_threads_{tbb::global_control::max_allowed_parallelism, 2};
  tbb::task_arena arena_{2};
};

class Floor : public PoolContender {
 public:
  ~Floor() override {
    line_.turn.store(kStop, std::memory_order_release);
    thread_.join();
  }
  void parallel_for(std::size_t n, Item item, void* context) override {
    line_.item = item;
    line_.context = context;
    line_.n = n;
    line_.turn.store(++turn_, std::memory_order_release);
    for (std::size_t i = 0; i < n / 2; ++i) item(context, i);
    ++turn_;
    while (line_.turn.load(std::memory_order_acquire) != turn_) cpu_relax();
  }

 private:
  static constexpr std::uint64_t kStop = ~std::uint64_t{0};
  struct alignas(64) Line {
    std::atomic<std::uint64_t> turn{0};  // odd: the thread's
    Item item;
    void* context;
    std::size_t n;
  };

  void wait_and_run() {
    for (;;) {
      std::uint64_t turn = line_.turn.load(std::memory_order_acquire);
      if (turn == kStop) return;
      if (turn % 2 == 0) {
        cpu_relax();
        continue;
      }
      for (std::size_t i = line_.n / 2; i < line_.n; ++i) line_.item(line_.context, i);
      line_.turn.compare_exchange_strong(turn, turn + 1, std::memory_order_acq_rel);
    }
  }

  Line line_;
  alignas(64) std::uint64_t turn_ = 0;
  std::thread thread_{[this] { wait_and_run(); }};
};

template <class Kind>
std::unique_ptr<PoolContender> make() {
  return std::make_unique<Kind>();
}

}  // namespace

std::vector<PoolVariant> pool_variants() {
  return {{"flyball", make<FlyballPool>},
          {"pthreadpool", make<Pthreadpool<0>>},
          {"pthreadpool/yield", make<Pthreadpool<PTHREADPOOL_FLAG_YIELD_WORKERS>>},
          {"libgomp", make<Libgomp>},
          {"onetbb/static", make<OneTbb<tbb::static_partitioner>>},
          {"onetbb/simple", make<OneTbb<tbb::simple_partitioner>>},
          {"floor", make<Floor>}};
}

}  // namespace flyball::bench
