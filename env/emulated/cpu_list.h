#pragma once

#include <cstdint>

#include "env/model/platform_spec.h"

namespace flyball {

/// The CPUs that the calling thread may run on, the first 64 of the machine at most: bit n is CPU
/// n. CPUs that are offline or that a control group withholds are absent. 1 when the Linux kernel
/// does not say.
std::uint64_t available_cpus();

/// The first `count` CPUs of `available`; all of them when there are fewer.
std::uint64_t first_cpus(std::uint64_t available, int count);

/// Clusters take the available CPUs in their order, one per core. On a machine with fewer CPUs than
/// cores the last clusters share what there is, from the first CPU on. Never empty.
std::uint64_t cluster_cpus(const PlatformSpec& spec, std::uint64_t available, int cluster);

/// The CPUs that serve a mapping: of each of its clusters the first cores.
std::uint64_t mapping_cpus(const PlatformSpec& spec, std::uint64_t available,
                           const Mapping& mapping);

}  // namespace flyball
