#include "kernels/pool/pool.h"

#include <algorithm>

#include "kernels/pool/futex.h"
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

int workers_of(std::uint64_t ticket) { return static_cast<int>(ticket & 0xffff); }
std::uint32_t tag_of(std::uint64_t ticket) {
  return static_cast<std::uint32_t>(ticket >> 16) & ItemRange::kTagMask;
}

}  // namespace

Pool::Pool(int max_workers, PoolOptions options)
    : max_workers_(std::clamp(max_workers, 1, kMaxCpus)),
      options_(std::move(options)),
      topology_(options_.topology_root),
      base_cpus_(thread_affinity()),
      config_(all_workers(max_workers_)),
      slots_(std::make_unique<Slot[]>(max_workers_)),
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
  if (!config.cpus.empty()) {
    const int unknown = config.cpus.first_missing_in(topology_.present());
    if (unknown >= 0) return {PoolError::kUnknownCpu, unknown};
    const int offline = config.cpus.first_missing_in(topology_.online());
    if (offline >= 0) return {PoolError::kOfflineCpu, offline};
  }
  config_.publish(config);
  return {};
}

bool Pool::set_speed_ratio(double ratio) {
  if (!(ratio > 0 && ratio <= 1)) return false;
  pace_.ratio.store(ratio, std::memory_order_relaxed);
  return true;
}

void Pool::pin(int worker, pthread_t thread) {
  if (applied_.cpus.empty()) {
    options_.set_affinity(thread, worker == 0 ? caller_mask_ : base_cpus_);
    return;
  }
  const int cpu = applied_.cpus.nth(worker % applied_.cpus.count());
  const int error = options_.set_affinity(thread, CpuSet{cpu});
  if (error == 0) return;
  ++pin_report_.failures;
  pin_report_.cpu = cpu;
  pin_report_.error = error;
}

void Pool::apply() {
  applied_version_ = config_.read(applied_);
  pin_report_ = {};
  const int cpus = applied_.cpus.empty() ? base_cpus_.count() : applied_.cpus.count();
  const std::int64_t spin_ns = applied_.active <= cpus ? applied_.spin_ns : 0;
  for (int worker = 0; worker < max_workers_; ++worker)
    slots_[worker].spin_ns.store(worker < applied_.active ? spin_ns : 0, std::memory_order_relaxed);
  // From here and not by the workers themselves: re-pinning a parked thread costs 2 us, moving
  // oneself 40 to 140 us.
  for (int worker = 1; worker < applied_.active; ++worker)
    pin(worker, threads_[worker].native_handle());
  if (!applied_.cpus.empty() || caller_pinned_) pin(0, caller_);
  caller_pinned_ = !applied_.cpus.empty();
}

void Pool::adopt_caller() {
  caller_ = pthread_self();
  caller_number_ = thread_number();
  caller_pinned_ = false;
  caller_mask_ = thread_affinity();
  slots_[0].pacer.forget();
  applied_version_ = 0;  // pins anew
}

void Pool::release_caller() {
  std::lock_guard lock(caller_mutex_);
  if (caller_number_ != thread_number()) return;
  if (caller_pinned_) options_.set_affinity(caller_, caller_mask_);
  caller_number_ = 0;
  caller_pinned_ = false;
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

  const Position outer = position;
  position = {this, 0};
  if (applied_.active == 1 || n == 1) {
    run_here(0, n, task, context);
  } else {
    task_ = task;
    context_ = context;
    items_ = n;
    chunk_size_ = (n + ItemRange::kMaxItems - 1) / ItemRange::kMaxItems;
    const auto chunks = static_cast<std::uint32_t>((n + chunk_size_ - 1) / chunk_size_);
    fork_join(chunks, static_cast<int>(std::min<std::size_t>(applied_.active, chunks)));
  }
  position = outer;
}

void Pool::run_here(int worker, std::size_t n, Task task, void* context) {
  Pacer& pacer = slots_[worker].pacer;
  pacer.begin(pace_);
  for (std::size_t i = 0; i < n; ++i) {
    task(context, worker, i);
    pacer.item_done(pace_);
  }
  pacer.end(pace_);
}

void Pool::fork_join(std::uint32_t chunks, int workers) {
  const std::uint64_t ticket = (++sequence_ << 16) | static_cast<std::uint64_t>(workers);
  const std::uint32_t tag = tag_of(ticket);
  finished_.store(0, std::memory_order_relaxed);
  const std::uint32_t share = chunks / workers;
  const std::uint32_t longer = chunks % workers;  // the first ones take one more
  std::uint32_t begin = 0;
  for (int worker = 0; worker < workers; ++worker) {
    Slot& slot = slots_[worker];
    const std::uint32_t end = begin + share + (static_cast<std::uint32_t>(worker) < longer ? 1 : 0);
    slot.range.fill(tag, begin, end);
    begin = end;
    if (worker == 0) continue;
    // Sequentially consistent against wait_ticket: either the worker sees the ticket, or it is seen
    // to be parked.
    slot.ticket.store(ticket);
    if (slot.parked.load() != 0 && slot.parked.exchange(0) != 0) futex_wake(slot.parked);
  }
  const std::uint64_t own = work(0, tag, workers);
  wait_finished(chunks - own);
}

void Pool::wait_finished(std::uint64_t expected) {
  const auto done = [&] { return finished_.load(std::memory_order_acquire) == expected; };
  const auto budget = [&] { return slots_[0].spin_ns.load(std::memory_order_relaxed); };
  while (!spin_until(done, budget)) {
    caller_parked_.store(1);
    if (finished_.load() != expected) futex_wait(caller_parked_, 1);
    caller_parked_.store(0);
  }
}

std::uint64_t Pool::work(int worker, std::uint32_t tag, int workers) {
  Pacer& pacer = slots_[worker].pacer;
  std::uint64_t done = 0;
  std::uint32_t chunk = 0;
  for (int turn = 0; turn < workers; ++turn) {
    const int victim = worker + turn < workers ? worker + turn : worker + turn - workers;
    ItemRange& range = slots_[victim].range;
    while (turn == 0 ? range.claim_front(tag, chunk) : range.claim_back(tag, chunk)) {
      if (done++ == 0) pacer.begin(pace_);
      run_chunk(worker, chunk);
      pacer.item_done(pace_);
    }
  }
  if (done != 0) pacer.end(pace_);
  return done;
}

void Pool::run_chunk(int worker, std::uint32_t chunk) {
  const std::size_t begin = chunk * chunk_size_;
  const std::size_t end = std::min(begin + chunk_size_, items_);
  for (std::size_t i = begin; i < end; ++i) task_(context_, worker, i);
}

std::uint64_t Pool::wait_ticket(Slot& slot, std::uint64_t last) {
  std::uint64_t ticket = last;
  const auto arrived = [&] {
    ticket = slot.ticket.load(std::memory_order_acquire);
    return ticket != last;
  };
  const auto budget = [&] { return slot.spin_ns.load(std::memory_order_relaxed); };
  while (!spin_until(arrived, budget)) {
    slot.parked.store(1);
    if (slot.ticket.load() == last) futex_wait(slot.parked, 1);
    slot.parked.store(0);
  }
  return ticket;
}

void Pool::worker_main(int worker) {
  Slot& slot = slots_[worker];
  position = {this, worker};
  std::uint64_t ticket = 0;
  for (;;) {
    ticket = wait_ticket(slot, ticket);
    if (ticket == kStop) return;
    const std::uint64_t done = work(worker, tag_of(ticket), workers_of(ticket));
    if (done == 0) continue;
    // Sequentially consistent against wait_finished, as above.
    finished_.fetch_add(done);
    if (caller_parked_.load() != 0 && caller_parked_.exchange(0) != 0) futex_wake(caller_parked_);
  }
}

}  // namespace flyball
