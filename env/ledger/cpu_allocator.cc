#include "env/ledger/cpu_allocator.h"

namespace flyball {
namespace {

/// Adds the first CPUs of `from` that are not in `without` to `to`, `count` at most; how many.
int add_first(const CpuSet& from, const CpuSet& without, int count, CpuSet& to) {
  int added = 0;
  for (int w = 0; w < CpuSet::kWords && added < count; ++w) {
    std::uint64_t bits = from.word(w) & ~without.word(w) & ~to.word(w);
    for (; bits != 0 && added < count; bits &= bits - 1, ++added) {
      to.set_word(w, to.word(w) | (bits & -bits));
    }
  }
  return added;
}

}  // namespace

CpuAllocator::CpuAllocator(const PlatformSpec& spec, const CpuSet& available)
    : clusters_(static_cast<int>(spec.clusters.size())) {
  CpuSet taken;
  for (int c = 0; c < clusters_; ++c) {
    CpuSet& cpus = cluster_[static_cast<std::size_t>(c)];
    const int cores = spec.clusters[static_cast<std::size_t>(c)].cores;
    if (add_first(available, taken, cores, cpus) == 0) {
      taken = {};
      add_first(available, taken, cores, cpus);
    }
    add_first(cpus, {}, cores, taken);
  }
}

CpuAllocator::CpuAllocator(const PlatformSpec& spec, const CpuSet& available,
                           std::span<const CpuSet> own)
    : clusters_(static_cast<int>(spec.clusters.size())) {
  for (std::size_t c = 0; c < own.size(); ++c) {
    cluster_[c] = own[c] & available;
    if (cluster_[c].empty()) cluster_[c] = available;
  }
}

CpuSet CpuAllocator::allocate(const Mapping& mapping, const CpuSet& taken,
                              const CpuSet& kept) const {
  CpuSet cpus;
  const CpuSet either = taken | kept;
  for (int c = 0; c < clusters_; ++c) {
    int wanted = mapping.cores[static_cast<std::size_t>(c)];
    for (const CpuSet* without : {&either, &taken, static_cast<const CpuSet*>(nullptr)}) {
      if (wanted > 0) wanted -= add_first(cluster(c), without ? *without : CpuSet(), wanted, cpus);
    }
  }
  return cpus;
}

}  // namespace flyball
