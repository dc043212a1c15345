#include "governor/cli/verbs/linux_holding.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "env/config/yaml.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

constexpr ActuatorKind kAskedActuators[] = {ActuatorKind::kAuto, ActuatorKind::kSetSpeed,
                                            ActuatorKind::kBounds, ActuatorKind::kUclamp};

Takeover begin_takeover(const std::string& state_dir, const SysTree& tree) {
  TakeoverOptions options;
  options.state_dir = state_dir;
  options.sysfs_root = tree.root();
  RestoreReport remains;
  Takeover takeover = Takeover::begin(options, remains);
  if (remains.remains == Remains::kSettings) {
    const std::string where =
        remains.elsewhere.empty() ? "" : ", with state folder " + remains.elsewhere;
    offer_note("A governor before this one" + where + (where.empty() ? "" : ",") +
               " had not given back: " + remains.result.sum() + ".\n");
  }
  if (!remains.elsewhere_removed.empty())
    offer_note(
        "State folder " + remains.elsewhere_removed +
        ", of who governed this machine last, is gone: should anything not have been given back, "
        "what is found now is taken for the user's.\n");
  return takeover;
}

}  // namespace

const std::vector<std::string>& actuator_names() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const ActuatorKind kind : kAskedActuators) names.emplace_back(actuator_name(kind));
    return names;
  }();
  return kNames;
}

ActuatorKind actuator_of(const std::string& name) {
  for (const ActuatorKind kind : kAskedActuators)
    if (name == actuator_name(kind)) return kind;
  const std::vector<std::string>& known = actuator_names();
  input_error("--actuator " + name, "there is no such actuator" + did_you_mean(name, known),
              "use one of " + joined(known));
}

void check_clamps(const LinuxMachine& machine) {
  const char* const kRemedy = "use '--actuator auto', or bounds";
  std::string why = machine.policies.empty() ? "there is no cpufreq policy" : "";
  for (const CpufreqPolicy& policy : machine.policies) {
    why = why_no_clamps(machine, policy);
    if (why.empty()) break;
  }
  if (!why.empty()) input_error("--actuator uclamp", why, kRemedy);
  if (const int error = probe_clamps(linux_clamp_calls()))
    input_error("--actuator uclamp",
                fmt::format("the Linux kernel refuses clamps: sched_setattr: {}",
                            std::generic_category().message(error)),
                kRemedy);
}

bool writes_any(const LinuxMachine& machine, ActuatorKind asked) {
  return std::any_of(machine.policies.begin(), machine.policies.end(),
                     [&](const CpufreqPolicy& policy) {
                       return choose_actuator(machine, policy, asked).kind != ActuatorKind::kNone;
                     }) ||
         std::any_of(machine.devfreq.begin(), machine.devfreq.end(),
                     [&](const DevfreqDevice& device) {
                       return is_processing_element(device) &&
                              choose_actuator(device, asked).kind != ActuatorKind::kNone;
                     });
}

std::string rival_text(const RivalDaemon& rival) {
  return fmt::format("{} (process {}) turns {}: stop one of the two.", rival.name, rival.pid,
                     rival.turns);
}

LinuxMachine discover_again(const SysTree& tree, const LinuxMachine& before) {
  LinuxMachine now = discover_machine(tree);
  const auto same = [](const auto& a, const auto& b) {
    return std::ranges::equal(
        a, b, {}, [](const auto& x) { return x.name; }, [](const auto& x) { return x.name; });
  };
  if (!same(now.policies, before.policies) || !same(now.devfreq, before.devfreq))
    failure("this machine", "has other clocks than a moment ago", "start it again");
  return now;
}

Holding::Holding(const std::string& state_dir, const SysTree& tree)
    : takeover_(begin_takeover(state_dir, tree)), kept_(takeover_.settings(), tree.root()) {}

void BeatSink::on_epoch(const EpochEvent&) noexcept {
  if (takeover_.beat(platform_.napping() ? LinuxPlatform::kNapNs : epoch_ns())) return;
  lost_supervisor_ = true;
  platform_.interrupt();
}

std::vector<std::string> governors_of(const LinuxMachine& machine, const LinuxPlatform& platform) {
  std::vector<std::string> governors;
  for (const LinuxPlatform::ClusterStatus& cluster : platform.clusters()) {
    std::string governor = "unknown";
    for (const CpufreqPolicy& policy : machine.policies) {
      if (policy.name == cluster.policies.front() && !policy.governor.empty())
        governor = policy.governor;
    }
    governors.push_back(governor);
  }
  return governors;
}

void give_back_first(LinuxPlatform& platform, Takeover& takeover) {
  takeover.begin_to_end();
  platform.leave_to_linux(true);
  takeover.wait_while([&] { return platform.is_writing(); });
}

void check_given_back(const std::string& verb, const GiveBackResult& returned,
                      bool lost_supervisor) {
  if (returned.missing() > 0) {
    failure(verb,
            fmt::format("{} of {} settings do not have their old value", returned.missing(),
                        returned.settings.size()),
            "they are kept: try 'flyball restore' when the cause is gone");
  }
  if (lost_supervisor) {
    failure("supervisor", "was killed, so the run ended early",
            "everything is given back; start it again");
  }
}

}  // namespace flyball::cli
