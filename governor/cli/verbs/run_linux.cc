#include "governor/cli/verbs/run_linux.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <system_error>
#include <vector>

#include "agents/agent.h"
#include "env/config/yaml.h"
#include "env/linux/linux_platform.h"
#include "governor/cli/interrupt.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/sysfs_root.h"
#include "governor/loop/control_loop.h"
#include "governor/metrics/session.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

/// Policies that decide by what clusters show and nothing of jobs.
const std::vector<std::string> kPlainPolicies = {"plain_load", "performance", "powersave",
                                                 "userspace",  "ondemand",    "conservative",
                                                 "interactive"};

ActuatorKind actuator_of(const std::string& name) {
  for (const ActuatorKind kind :
       {ActuatorKind::kAuto, ActuatorKind::kSetSpeed, ActuatorKind::kBounds}) {
    if (name == actuator_name(kind)) return kind;
  }
  const std::vector<std::string> known = {"auto", "setspeed", "bounds"};
  input_error("--actuator " + name, "there is no such actuator" + did_you_mean(name, known),
              "use one of " + joined(known));
}

void check_policy(const std::string& policy) {
  check_policy_name(policy);
  const std::string name = policy.substr(0, policy.find(':'));
  if (std::find(kPlainPolicies.begin(), kPlainPolicies.end(), name) != kPlainPolicies.end()) return;
  input_error(fmt::format("policy '{}'", policy),
              "decides by jobs, and on '--platform linux' nobody announces any",
              "use one of " + joined(kPlainPolicies) + ", or '--platform host'");
}

/// Adds up what an epoch shows, and says once a second how things stand.
class LinuxSink final : public EpochSink {
 public:
  struct Cluster {
    double busy_ns = 0, clock_ns = 0, busy_clock = 0;
    std::uint64_t decisions = 0;
    std::uint8_t last_opp = 255;
  };

  LinuxSink(const LinuxPlatform& platform, bool talks) : platform_(platform), talks_(talks) {}

  void on_epoch(const EpochEvent& event) override {
    const Observation& out = event.outcome;
    const auto span_ns = static_cast<double>(out.epoch_ns);
    ++epochs_;
    energy_mj_ += out.energy_mj;
    time_ns_ += span_ns;
    for (int c = 0; c < out.cluster_count; ++c) {
      Cluster& cluster = cluster_[static_cast<std::size_t>(c)];
      const ClusterObservation& seen = out.cluster[static_cast<std::size_t>(c)];
      cluster.busy_ns += seen.util_mean * span_ns;
      cluster.busy_clock += seen.util_mean * span_ns * static_cast<double>(seen.freq_khz);
      const std::uint8_t opp = event.applied.opp[static_cast<std::size_t>(c)];
      if (opp != cluster.last_opp) ++cluster.decisions;
      cluster.last_opp = opp;
    }
    const std::int64_t second = out.now_ns / 1'000'000'000;
    if (!talks_ || second == second_) return;
    second_ = second;
    write_note(line(event));
  }

  double mean_mw() const { return time_ns_ > 0 ? energy_mj_ * 1e9 / time_ns_ : 0; }
  double energy_mj() const { return energy_mj_; }
  double seconds() const { return time_ns_ * 1e-9; }
  std::uint64_t epochs() const { return epochs_; }
  const Cluster& cluster(std::size_t c) const { return cluster_[c]; }
  double busy_pct(std::size_t c) const {
    return time_ns_ > 0 ? 100 * cluster_[c].busy_ns / time_ns_ : 0;
  }
  /// Mean over busy time; NaN when there was none.
  double busy_mhz(std::size_t c) const {
    return cluster_[c].busy_ns > 0 ? cluster_[c].busy_clock / cluster_[c].busy_ns * 1e-3
                                   : std::nan("");
  }

 private:
  /// Once a second; the one place in an epoch's way that makes text, for people who watch.
  std::string line(const EpochEvent& event) const {
    const Observation& out = event.outcome;
    std::string text = fmt::format("{:5d} s", out.now_ns / 1'000'000'000);
    for (int c = 0; c < out.cluster_count; ++c) {
      const ClusterObservation& seen = out.cluster[static_cast<std::size_t>(c)];
      text += fmt::format(
          "  {} {:.0f} % busy, {:.0f} MHz{}",
          platform_.spec().clusters[static_cast<std::size_t>(c)].name, 100 * seen.util_max,
          static_cast<double>(seen.freq_khz) / 1e3,
          platform_.napping()
              ? ""
              : fmt::format(" (asked {:.0f})", static_cast<double>(seen.asked_khz) / 1e3));
      if (seen.error != 0) text += " " + std::generic_category().message(seen.error);
    }
    text += fmt::format("  {:.2f} W {}", out.power_mw / 1e3,
                        platform_.power_source().empty() ? "modelled" : "measured");
    if (platform_.napping()) text += "  idle: Linux governs";
    return text + "\n";
  }

  const LinuxPlatform& platform_;
  bool talks_;
  std::array<Cluster, kMaxClusters> cluster_{};
  double energy_mj_ = 0, time_ns_ = 0;
  std::uint64_t epochs_ = 0;
  std::int64_t second_ = 0;
};

std::string power_text(const LinuxPlatform& platform) {
  return platform.power_source().empty()
             ? "Power is modelled, with assumed voltages: nothing here measures it."
             : fmt::format("Power is measured: {}.", platform.power_source());
}

std::string introduction(const RunLinux& verb, const LinuxMachine& machine,
                         const LinuxPlatform& platform) {
  const int columns = Terminal::of(STDERR_FILENO).columns;
  std::string text;
  const auto say = [&](const std::string& sentence) { text += wrapped(sentence, columns); };
  say(fmt::format("{} the clocks of this machine under plain load, policy {}{}.",
                  verb.dry_run ? "Deciding on" : "Governing", verb.policy,
                  verb.dry_run ? "; nothing is written" : ""));
  bool writes = false;
  for (const LinuxPlatform::ClusterStatus& cluster : platform.clusters()) {
    say(fmt::format("{}, CPUs {}: {} ({}).", cluster.name, cluster.cpus.to_string(),
                    actuator_name(cluster.actuator), cluster.why));
    writes = writes || cluster.actuator != ActuatorKind::kNone;
  }
  if (!writes && !verb.dry_run)
    say("No clock may be written by this process: this is a dry run. Start it as root, or give "
        "the container write access to /sys/devices/system/cpu.");
  for (const RivalDaemon& rival : machine.rivals)
    say(fmt::format("{} (process {}) turns {}: stop one of the two.", rival.name, rival.pid,
                    rival.turns));
  if (machine.quota.cpus)
    say(fmt::format("{} leaves this process {:.2f} cores' worth of time.", machine.quota.source,
                    *machine.quota.cpus));
  say(power_text(platform));
  if (const std::string counters = platform.counters(); !counters.empty()) say(counters + ".");
  say("Ctrl-C ends it and gives everything back.");
  return text;
}

Json result_json(const RunLinux& verb, const LinuxPlatform& platform, const LinuxSink& sink) {
  Json json{{"schema", 1},
            {"platform", "linux"},
            {"policy", verb.policy},
            {"dry_run", verb.dry_run},
            {"seconds", sink.seconds()},
            {"epochs", sink.epochs()},
            {"naps", platform.naps()},
            {"power_mean_mw", sink.mean_mw()},
            {"energy_mj", sink.energy_mj()},
            {"power_source", platform.power_source().empty() ? "model" : platform.power_source()}};
  Json& rows = json["clusters"] = Json::array();
  std::size_t c = 0;
  for (const LinuxPlatform::ClusterStatus& cluster : platform.clusters()) {
    rows.push_back({{"name", cluster.name},
                    {"cpus", cluster.cpus.to_string()},
                    {"policies", cluster.policies},
                    {"actuator", actuator_name(cluster.actuator)},
                    {"actuator_reason", cluster.why},
                    {"busy_pct", sink.busy_pct(c)},
                    {"busy_clock_mhz", number_or_null(sink.busy_mhz(c))},
                    {"decisions", sink.cluster(c).decisions},
                    {"writes", cluster.hand.writes},
                    {"refused", cluster.hand.refused},
                    {"rounded", cluster.hand.rounded},
                    {"ignored", cluster.hand.ignored},
                    {"stood_down", cluster.hand.stood_down}});
    ++c;
  }
  return json;
}

std::string result_text(const LinuxPlatform& platform, const LinuxSink& sink) {
  std::string text;
  std::size_t c = 0;
  for (const LinuxPlatform::ClusterStatus& cluster : platform.clusters()) {
    text += fmt::format("{}: {:.1f} % busy", cluster.name, sink.busy_pct(c));
    if (std::isfinite(sink.busy_mhz(c)))
      text += fmt::format(" at {:.0f} MHz in the mean", sink.busy_mhz(c));
    text += fmt::format(", {} changes decided, {} writes by {}", sink.cluster(c).decisions,
                        cluster.hand.writes, actuator_name(cluster.actuator));
    if (cluster.hand.refused > 0) text += fmt::format(", {} refused", cluster.hand.refused);
    if (cluster.hand.rounded > 0)
      text += fmt::format(", {} rounded or capped", cluster.hand.rounded);
    if (cluster.hand.ignored > 0) text += fmt::format(", {} without effect", cluster.hand.ignored);
    if (cluster.hand.stood_down > 0) text += ", taken by another program";
    text += '\n';
    ++c;
  }
  text += fmt::format(
      "{:.1f} s, {} epochs, {} times idle and left to Linux; {:.2f} W in the mean ({})\n",
      sink.seconds(), sink.epochs(), platform.naps(), sink.mean_mw() / 1e3,
      platform.power_source().empty() ? "modelled" : platform.power_source());
  return text;
}

}  // namespace

int run_linux(const RunLinux& verb) {
  check_policy(verb.policy);
  LinuxOptions options;
  options.actuator = actuator_of(verb.actuator);
  options.dry_run = verb.dry_run;
  options.duration_ns = std::llround(verb.duration_s * 1e9);
  const SysTree tree = tree_at(verb.sysfs_root);
  const LinuxMachine machine = discover_machine(tree);
  const InterruptScope interrupt;
  LinuxPlatform platform(tree, machine, options);
  const Belief belief = Belief::of(platform.spec());
  const RewardWeights weights = reward_weights(belief);
  const std::unique_ptr<Agent> agent = make_agent(verb.policy, {belief, weights, verb.seed});
  if (verb.check) return 0;
  write_note(introduction(verb, machine, platform));
  LinuxSink sink(platform, !verb.json);
  {
    const InterruptsPlatform interrupts(platform);
    Shield shield(belief, {.guard = false});
    ControlLoop loop(platform, *agent, shield, weights);
    loop.add_sink(sink);
    if (!interrupt.stopped()) loop.run();
  }
  write_result(verb.json ? json_text(result_json(verb, platform, sink))
                         : result_text(platform, sink));
  return 0;
}

}  // namespace flyball::cli
