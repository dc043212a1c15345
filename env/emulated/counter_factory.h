#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "env/linux/counter_source.h"

namespace flyball {

/// Makes the counters of the threads that jobs run on.
using CounterFactory =
    std::function<std::unique_ptr<CounterSource>(const std::vector<int>& thread_ids)>;

/// The counters that this machine offers for threads: hardware events, software events, /proc.
std::unique_ptr<CounterSource> thread_counters(const std::vector<int>& thread_ids);

}  // namespace flyball
