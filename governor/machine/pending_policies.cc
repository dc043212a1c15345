#include "governor/machine/pending_policies.h"

#include <fmt/format.h>

#include "env/linux/actuate/choice.h"

namespace flyball {
namespace {

constexpr std::int64_t kBetweenLooksNs = 1'000'000'000;

}  // namespace

PendingPolicies::PendingPolicies(const SysTree& tree, const LinuxMachine& machine,
                                 SettingCalls& calls) {
  for (const CpufreqPolicy& policy : machine.policies) {
    if (policy.error == 0) continue;
    sentences_.push_back(fmt::format("{}, CPUs {}: {}; it is not governed yet.", policy.name,
                                     policy.cpus.to_string(),
                                     choose_actuator(machine, policy, ActuatorKind::kAuto).why));
    names_.push_back(policy.name);
    governors_.emplace_back(calls, tree.path(policy.folder + "/scaling_governor"));
    come_.reserve(policy.name.size());
  }
}

void PendingPolicies::on_epoch(const EpochEvent& event) noexcept {
  if (platform_ == nullptr || event.outcome.now_ns - looked_ns_ < kBetweenLooksNs) return;
  looked_ns_ = event.outcome.now_ns;
  if (event.outcome.app_count > 0 || !come_.empty()) return;
  char text[64];
  for (std::size_t i = 0; i < governors_.size(); ++i) {
    if (governors_[i].read(text, sizeof text) <= 0) continue;
    come_ = names_[i];
    platform_->interrupt();
    return;
  }
}

}  // namespace flyball
