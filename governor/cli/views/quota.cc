#include "governor/cli/views/quota.h"

#include <fmt/format.h>

#include "governor/machine/machine_profile.h"

namespace flyball::cli {

std::string quota_sentence() {
  const MachineIdentity machine = this_machine();
  if (!(machine.cpu_quota > 0)) return {};
  return fmt::format(
      "This process may use {:.2f} of {} CPU{} ({}): it is stopped whenever it has used them up, "
      "so "
      "expect misses under every policy.",
      machine.cpu_quota, machine.cpus, machine.cpus == 1 ? "" : "s", read_cpu_quota().source);
}

std::string throttling_sentence(const CpuThrottling& throttling) {
  if (throttling.throttled <= 0) return {};
  return fmt::format(
      "The CPU quota stopped this process in {} of {} periods, for {:.1f} s in all; no policy can "
      "meet deadlines meanwhile.",
      throttling.throttled, throttling.periods, static_cast<double>(throttling.throttled_us) / 1e6);
}

Json quota_json(double cpus) { return cpus > 0 ? Json(cpus) : Json(nullptr); }

}  // namespace flyball::cli
