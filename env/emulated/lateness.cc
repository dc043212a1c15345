#include "env/emulated/lateness.h"

#include <fmt/format.h>

namespace flyball {

std::string lateness_note(std::int64_t lateness_ns, std::int64_t suspended_ns) {
  constexpr std::int64_t kSuspend_ns = 100'000'000;  // less is the distance of two clock readings
  const double lateness_ms = static_cast<double>(lateness_ns) * 1e-6;
  if (suspended_ns < kSuspend_ns)
    return fmt::format("the machine is overloaded: a job was released {:.1f} ms late", lateness_ms);
  return fmt::format("the machine was suspended for {:.1f} s: a job was released {:.1f} ms late",
                     static_cast<double>(suspended_ns) * 1e-9, lateness_ms);
}

}  // namespace flyball
