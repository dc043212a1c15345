#include "kernels/pool/placement.h"

#include <cerrno>

#include "kernels/base/clock.h"

namespace flyball {
namespace {

constexpr std::int64_t kMendIntervalNs = 10'000'000;

}  // namespace

Placement::Placement(int max_workers, const PoolOptions& options)
    : options_(options),
      topology_(options_.topology_root),
      base_cpus_(thread_affinity()),
      base_scheduling_(thread_scheduling()),
      places_(std::make_unique<Place[]>(max_workers)) {
  for (int worker = 0; worker < max_workers; ++worker)
    places_[worker].scheduling = base_scheduling_;
}

void Placement::adopt_caller() {
  caller_ = pthread_self();
  caller_mask_ = thread_affinity();
  const Scheduling own = thread_scheduling();
  if (own != caller_scheduling_) tried_ = {};
  caller_scheduling_ = own;
  places_[0].pinned = false;
  places_[0].cpu.store(-1, std::memory_order_relaxed);
  places_[0].scheduling = caller_scheduling_;
}

void Placement::release_caller() {
  if (places_[0].pinned) options_.set_affinity(caller_, caller_mask_);
  if (places_[0].scheduling != caller_scheduling_)
    options_.set_scheduling(caller_, caller_scheduling_);
  places_[0].pinned = false;
  places_[0].cpu.store(-1, std::memory_order_relaxed);
}

pthread_t Placement::thread_of(int worker, const std::thread* threads) const {
  return worker == 0 ? caller_ : const_cast<std::thread&>(threads[worker]).native_handle();
}

void Placement::apply(const PoolConfig& config, const std::thread* threads) {
  wanted_ = config;
  scheduling_ = {};
  set_in_force(config.cpus);
  // Who is where he should be stays untouched: two pins that change nothing would double the cost
  // of a reconfiguration.
  pin_all(threads, strayed_.load(std::memory_order_relaxed));
  // EINVAL: a CPU has gone offline since the configuration was accepted.
  if (pins_.error == EINVAL && set_in_force(config.cpus & topology_.online()))
    pin_all(threads, true);
  for (int worker = 0; worker < config.active; ++worker)
    schedule(worker, thread_of(worker, threads));
}

bool Placement::mend(const std::thread* threads) {
  const std::int64_t now_ns = read_clock_ns(CLOCK_MONOTONIC_COARSE);
  if (now_ns - mended_ns_ < kMendIntervalNs) return false;
  mended_ns_ = now_ns;
  const bool changed = set_in_force(wanted_.cpus & topology_.online());
  if (changed || strayed_.load(std::memory_order_relaxed)) pin_all(threads, true);
  return changed;
}

/// True when they are not the ones that were in force.
bool Placement::set_in_force(const CpuSet& cpus) {
  const bool changed = in_force_ != cpus;
  in_force_ = cpus;
  degraded_ = in_force_ != wanted_.cpus;
  return changed;
}

void Placement::pin_all(const std::thread* threads, bool anew) {
  pins_ = {};
  pins_.offline = wanted_.cpus.count() - in_force_.count();
  strayed_.store(false, std::memory_order_relaxed);
  // From here and not by the workers themselves: re-pinning a parked thread costs 2 us, moving
  // oneself 40 to 140 us.
  for (int worker = wanted_.active - 1; worker >= 0; --worker) {
    if (anew) places_[worker].cpu.store(-1, std::memory_order_relaxed);
    pin(worker, thread_of(worker, threads));
  }
}

void Placement::pin(int worker, pthread_t thread) {
  Place& place = places_[worker];
  if (in_force_.empty()) {
    if (place.pinned) options_.set_affinity(thread, worker == 0 ? caller_mask_ : base_cpus_);
    place.pinned = false;
    place.cpu.store(-1, std::memory_order_relaxed);
    return;
  }
  const int cpu = in_force_.nth(worker % in_force_.count());
  if (place.cpu.load(std::memory_order_relaxed) == cpu) return;
  const int error = options_.set_affinity(thread, CpuSet{cpu});
  place.pinned = place.pinned || error == 0;
  place.cpu.store(error == 0 ? cpu : -1, std::memory_order_relaxed);
  if (error == 0) return;
  // EINVAL: switched off just now, or kept from us by a cpuset. Either may end.
  if (error == EINVAL) strayed_.store(true, std::memory_order_relaxed);
  ++pins_.failures;
  pins_.cpu = cpu;
  pins_.error = error;
}

void Placement::schedule(int worker, pthread_t thread) {
  Scheduling scheduling = wanted_.scheduling;
  if (scheduling.sched_class == SchedClass::kInherited)
    scheduling = worker == 0 ? caller_scheduling_ : base_scheduling_;
  if (scheduling == places_[worker].scheduling) return;
  const bool keeps =
      worker == 0 && scheduling != caller_scheduling_ && !caller_can_return(scheduling);
  const int error = keeps ? EPERM : options_.set_scheduling(thread, scheduling);
  if (error == 0) {
    places_[worker].scheduling = scheduling;
    return;
  }
  ++scheduling_.failures;
  scheduling_.error = error;
}

/// From `scheduling` to its own class.
bool Placement::caller_can_return(const Scheduling& scheduling) {
  if (tried_ != scheduling) {
    tried_ = scheduling;
    can_return_ = options_.scheduling_can_return(caller_scheduling_, scheduling);
  }
  return can_return_;
}

}  // namespace flyball
