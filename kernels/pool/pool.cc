#include "kernels/pool/pool.h"

#include <unistd.h>

#include <algorithm>

#include "kernels/base/futex.h"
#include "kernels/pool/spin.h"

namespace flyball {
namespace {

constexpr std::uint64_t kStop = ~std::uint64_t{0};

/// Set while the thread runs items, so that a nested call is recognised.
struct Position {
  const Pool* pool = nullptr;
  int worker = 0;
};
thread_local Position position;

/// Unlike pthread_self() never given twice.
std::uint64_t thread_number() {
  static std::atomic<std::uint64_t> next{1};
  thread_local const std::uint64_t number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

PoolConfig all_workers(int count) {
  PoolConfig config;
  config.active = count;
  return config;
}

void full_fence() {
  // ThreadSanitizer does not know fences; no data depends on this one.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
  std::atomic_thread_fence(std::memory_order_seq_cst);
#pragma GCC diagnostic pop
}

/// Sequentially consistent; against a `parked` that is set before looking for work once more. Both
/// sides announce themselves with read-modify-writes: x86 has the same instruction for them as for
/// a sequentially consistent store, and QEMU 7.2 lets Arm's loads pass such stores (3 % of tries).
void wake_if_parked(std::atomic<std::uint32_t>& parked) {
  if (parked.load() != 0 && parked.exchange(0) != 0) futex_wake(parked);
}

int workers_of(std::uint64_t ticket) { return static_cast<int>(ticket & 0xffff); }
std::uint32_t tag_of(std::uint64_t ticket) {
  return static_cast<std::uint32_t>(ticket >> 16) & ItemRange::kTagMask;
}

}  // namespace

Pool::Pool(int max_workers, PoolOptions options)
    : max_workers_(std::clamp(max_workers, 1, kMaxCpus)),
      active_(max_workers_),
      placement_(max_workers_, options),
      config_(all_workers(max_workers_)),
      slots_(std::make_unique<Slot[]>(max_workers_)),
      thread_ids_(std::make_unique<std::atomic<int>[]>(max_workers_)),
      threads_(std::make_unique<std::thread[]>(max_workers_)) {
  try {
    for (int worker = 1; worker < max_workers_; ++worker)
      threads_[worker] = std::thread([this, worker] { worker_main(worker); });
  } catch (...) {
    stop();
    throw;
  }
}

Pool::~Pool() {
  stop();
  release_caller();
}

std::vector<int> Pool::thread_ids() const {
  std::vector<int> ids;
  for (int worker = 1; worker < max_workers_; ++worker) {
    int id = 0;
    while ((id = thread_ids_[worker].load(std::memory_order_acquire)) == 0) {
      std::this_thread::yield();
    }
    ids.push_back(id);
  }
  return ids;
}

void Pool::stop() {
  for (int worker = 1; worker < max_workers_; ++worker) {
    Slot& slot = slots_[worker];
    slot.ticket.store(kStop);
    if (slot.parked.exchange(0) != 0) futex_wake(slot.parked);
  }
  for (int worker = 1; worker < max_workers_; ++worker)
    if (threads_[worker].joinable()) threads_[worker].join();
}

PoolStatus Pool::configure(const PoolConfig& config) {
  if (config.active < 1) return {PoolError::kNoActive, config.active};
  if (config.active > max_workers_) return {PoolError::kTooManyActive, config.active, max_workers_};
  if (config.spin_ns < 0) return {PoolError::kNegativeSpin, config.spin_ns};
  if (!config.scheduling.sound()) return {PoolError::kPriority, config.scheduling.priority};
  if (!config.cpus.empty()) {
    const int offline = config.cpus.first_missing_in(topology().online());
    if (offline >= 0) {
      const int unknown = config.cpus.first_missing_in(topology().present());
      if (unknown >= 0) return {PoolError::kUnknownCpu, unknown};
      return {PoolError::kOfflineCpu, offline};
    }
  }
  config_.publish(config);
  return {};
}

bool Pool::set_speed_ratio(double ratio) {
  if (!(ratio > 0 && ratio <= 1)) return false;
  pace_.ratio.store(ratio, std::memory_order_relaxed);
  return true;
}

void Pool::apply() {
  applied_version_ = config_.read(applied_);
  active_.store(applied_.active, std::memory_order_relaxed);
  placement_.apply(applied_, threads_.get());
  set_spin_budgets();
}

void Pool::set_spin_budgets() {
  const std::int64_t spin_ns = applied_.active <= placement_.cpu_count() ? applied_.spin_ns : 0;
  for (int worker = 0; worker < max_workers_; ++worker)
    slots_[worker].spin_ns.store(worker < applied_.active ? spin_ns : 0, std::memory_order_relaxed);
}

void Pool::adopt_caller() {
  placement_.adopt_caller();
  caller_number_ = thread_number();
  slots_[0].pacer.forget();
  applied_version_ = 0;  // pins anew
}

void Pool::release_caller() {
  std::lock_guard lock(caller_mutex_);
  if (caller_number_ != thread_number()) return;
  placement_.release_caller();
  caller_number_ = 0;
}

void Pool::run(std::size_t n, Task task, void* context) {
  if (n == 0) return;
  if (position.pool == this) {
    for (std::size_t i = 0; i < n; ++i) task(context, position.worker, i);
    return;
  }
  std::lock_guard lock(caller_mutex_);
  if (caller_number_ != thread_number()) adopt_caller();
  if (applied_version_ != config_.version()) apply();
  placement_.look(0);
  if (placement_.unsettled() && placement_.mend(threads_.get())) set_spin_budgets();

  const Position outer = position;
  position = {this, 0};
  const Job job{task, context, n, (n + ItemRange::kMaxItems - 1) / ItemRange::kMaxItems};
  if (applied_.active == 1 || n == 1) {
    run_here(0, job);
  } else {
    const auto chunks = static_cast<std::uint32_t>((n + job.chunk_size - 1) / job.chunk_size);
    fork_join(job, chunks, static_cast<int>(std::min<std::size_t>(applied_.active, chunks)));
  }
  position = outer;
}

void Pool::run_here(int worker, const Job& job) {
  Pacer& pacer = slots_[worker].pacer;
  pacer.begin(pace_);
  for (std::size_t i = 0; i < job.items; ++i) {
    job.task(job.context, worker, i);
    pacer.item_done(pace_);
  }
  pacer.end(pace_);
}

void Pool::fork_join(const Job& job, std::uint32_t chunks, int workers) {
  const std::uint64_t ticket = (++sequence_ << 16) | static_cast<std::uint64_t>(workers);
  const std::uint32_t tag = tag_of(ticket);
  const std::uint32_t share = chunks / workers;
  const std::uint32_t longer = chunks % workers;  // the first ones take one more
  std::uint32_t begin = share + (longer > 0 ? 1 : 0);
  // The caller's first chunk is not up for claims: while it runs it, the lines travel.
  if (begin > 1) slots_[0].range.fill(tag, 1, begin);
  for (int worker = 1; worker < workers; ++worker) {
    Slot& slot = slots_[worker];
    const std::uint32_t end = begin + share + (static_cast<std::uint32_t>(worker) < longer ? 1 : 0);
    slot.job = job;
    slot.range.fill(tag, begin, end);
    slot.ticket.store(ticket, std::memory_order_release);
    begin = end;
    wake_if_parked(slot.parked);
  }
  std::uint64_t own = run_caller_share(tag, job, workers);
  own += steal(0, tag, job, workers);
  wait_finished(chunks - own, workers);
}

/// Chunk 0, then the rest of the own share from the front.
std::uint64_t Pool::run_caller_share(std::uint32_t tag, const Job& job, int workers) {
  Slot& slot = slots_[0];
  slot.pacer.begin(pace_);
  run_chunk(job, 0, 0);
  slot.pacer.item_done(pace_);
  // A worker that was about to park while it got its ticket may have been missed. Waiting for that
  // at once would take a fence that drains the tickets' stores, 50 ns in which chunk 0 can run.
  full_fence();
  for (int worker = 1; worker < workers; ++worker) wake_if_parked(slots_[worker].parked);
  std::uint64_t done = 1;
  for (std::uint32_t chunk = 0; slot.range.claim_front(tag, chunk); ++done) {
    run_chunk(job, 0, chunk);
    slot.pacer.item_done(pace_);
  }
  slot.pacer.end(pace_);
  return done;
}

/// The own share from the front.
std::uint64_t Pool::run_worker_share(int worker, std::uint32_t tag, const Job& job) {
  Slot& slot = slots_[worker];
  std::uint64_t done = 0;
  for (std::uint32_t chunk = 0; slot.range.claim_front(tag, chunk); ++done) {
    if (done == 0) slot.pacer.begin(pace_);
    run_chunk(job, worker, chunk);
    slot.pacer.item_done(pace_);
  }
  if (done != 0) slot.pacer.end(pace_);
  return done;
}

/// The rest of the others' shares, from the back.
std::uint64_t Pool::steal(int worker, std::uint32_t tag, const Job& job, int workers) {
  Pacer& pacer = slots_[worker].pacer;
  std::uint64_t done = 0;
  std::uint32_t chunk = 0;
  for (int turn = 1; turn < workers; ++turn) {
    const int victim = worker + turn < workers ? worker + turn : worker + turn - workers;
    while (slots_[victim].range.claim_back(tag, chunk)) {
      if (done++ == 0) pacer.begin(pace_);
      run_chunk(job, worker, chunk);
      pacer.item_done(pace_);
    }
  }
  if (done != 0) pacer.end(pace_);
  return done;
}

void Pool::run_chunk(const Job& job, int worker, std::uint32_t chunk) {
  const std::size_t begin = chunk * job.chunk_size;
  const std::size_t end = std::min(begin + job.chunk_size, job.items);
  for (std::size_t i = begin; i < end; ++i) job.task(job.context, worker, i);
}

void Pool::wait_finished(std::uint64_t expected, int workers) {
  const auto finished = [&] {
    std::uint64_t sum = 0;
    for (int worker = 1; worker < workers; ++worker)
      sum += slots_[worker].done.load() - slots_[worker].counted;
    return sum == expected;
  };
  const auto budget = [&] { return slots_[0].spin_ns.load(std::memory_order_relaxed); };
  while (!spin_until(finished, budget)) {
    caller_parked_.exchange(1);
    if (!finished()) futex_wait(caller_parked_, 1);
    caller_parked_.store(0);
  }
  for (int worker = 1; worker < workers; ++worker)
    slots_[worker].counted = slots_[worker].done.load(std::memory_order_relaxed);
}

std::uint64_t Pool::wait_ticket(Slot& slot, std::uint64_t last) {
  std::uint64_t ticket = last;
  const auto arrived = [&] {
    prefetch_to_write(&slot);  // to claim from it
    ticket = slot.ticket.load(std::memory_order_acquire);
    return ticket != last;
  };
  const auto budget = [&] { return slot.spin_ns.load(std::memory_order_relaxed); };
  while (!spin_until(arrived, budget)) {
    slot.parked.exchange(1);
    if (slot.ticket.load() == last) futex_wait(slot.parked, 1);
    slot.parked.store(0);
  }
  return ticket;
}

void Pool::publish_done(Slot& slot, std::uint64_t chunks) {
  // Sequentially consistent against wait_finished: either the caller sees the count, or it is seen
  // to be parked.
  slot.done.fetch_add(chunks);
  wake_if_parked(caller_parked_);
}

void Pool::worker_main(int worker) {
  thread_ids_[worker].store(gettid(), std::memory_order_release);
  Slot& slot = slots_[worker];
  position = {this, worker};
  std::uint64_t ticket = 0;
  for (;;) {
    ticket = wait_ticket(slot, ticket);
    if (ticket == kStop) return;
    const std::uint32_t tag = tag_of(ticket);
    placement_.look(worker);
    // The own share is counted before looking for others', which costs a transfer each.
    if (const std::uint64_t done = run_worker_share(worker, tag, slot.job))
      publish_done(slot, done);
    if (const std::uint64_t done = steal(worker, tag, slot.job, workers_of(ticket)))
      publish_done(slot, done);
  }
}

}  // namespace flyball
