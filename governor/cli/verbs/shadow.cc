#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <memory>

#include "agents/agent.h"
#include "env/linux/shadow_platform.h"
#include "governor/cli/interrupt.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/linux_holding.h"
#include "governor/cli/verbs/run_linux.h"
#include "governor/cli/verbs/sysfs_root.h"
#include "governor/loop/control_loop.h"
#include "governor/metrics/session.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

struct ShadowVerb {
  std::string policy = "plain_load";
  std::string sysfs_root = "/";
  double duration_s = 0;
  std::uint64_t seed = 1;
  bool json = false;
};

using ShadowTally = ShadowLedger::Tally;

double saved_pct(double linux_mj, double ours_mj) { return 100 * (1 - ours_mj / linux_mj); }
double late_pct(const ShadowTally& tally) { return 100 * tally.late_work / tally.work; }
double mean_mw(double mj, double ns) { return mj / ns * 1e9; }

/// A line every ten seconds. Nothing hangs on this loop being in time, so it may write.
class ShadowProgress final : public EpochSink {
 public:
  ShadowProgress(const ShadowPlatform& shadow, bool told) : shadow_(shadow), told_(told) {}
  void on_epoch(const EpochEvent& event) noexcept override {
    ++epochs_;
    const std::int64_t ten_s = event.outcome.now_ns / 10'000'000'000;
    if (ten_s == told_at_ || !told_) return;
    told_at_ = ten_s;
    double linux_mj = 0, ours_mj = 0;
    for (int c = 0; c < event.outcome.cluster_count; ++c) {
      linux_mj += shadow_.tally(c).linux_mj;
      ours_mj += shadow_.tally(c).ours_mj;
    }
    write_note(fmt::format("{:5d} s  {} % of the modelled energy would have been saved so far\n",
                           event.outcome.now_ns / 1'000'000'000,
                           fixed(saved_pct(linux_mj, ours_mj), 1)));
  }
  std::uint64_t epochs() const { return epochs_; }

 private:
  const ShadowPlatform& shadow_;
  const bool told_;
  std::int64_t told_at_ = 0;
  std::uint64_t epochs_ = 0;
};

std::string shadowed_text(const RivalDaemon& rival) {
  return fmt::format("{} (process {}) turns {}: what is watched is its doing as well as Linux's.",
                     rival.name, rival.pid, rival.turns);
}

struct ShadowResult {
  const ShadowVerb& verb;
  const LinuxMachine& machine;
  const LinuxPlatform& real;
  const ShadowPlatform& shadow;
  std::uint64_t epochs;
  std::vector<std::string> governors;  ///< per cluster
  double linux_mj = 0, ours_mj = 0, ns = 0;
};

Json shadow_json(const ShadowResult& result) {
  const std::string& source = result.real.power_source();
  Json json{{"schema", 1},
            {"policy", result.verb.policy},
            {"seconds", result.ns * 1e-9},
            {"epochs", result.epochs},
            {"power_source", "model"},
            {"linux_power_mw", number_or_null(mean_mw(result.linux_mj, result.ns))},
            {"flyball_power_mw", number_or_null(mean_mw(result.ours_mj, result.ns))},
            {"saved_pct", number_or_null(saved_pct(result.linux_mj, result.ours_mj))},
            {"rival_daemons", Json::array()}};
  for (const RivalDaemon& rival : result.machine.rivals)
    json["rival_daemons"].push_back(
        {{"name", rival.name}, {"process", rival.pid}, {"turns", rival.turns}});
  if (!source.empty()) {
    json["measured_power_mw"] =
        number_or_null(mean_mw(result.shadow.measured_mj(), result.shadow.measured_ns()));
    json["measured_seconds"] = result.shadow.measured_ns() * 1e-9;
    json["measured_power_source"] = source;
  }
  Json& rows = json["clusters"] = Json::array();
  for (std::size_t c = 0; c < result.governors.size(); ++c) {
    const ShadowTally& tally = result.shadow.tally(static_cast<int>(c));
    rows.push_back(
        {{"name", result.real.spec().clusters[c].name},
         {"linux_governor", result.governors[c]},
         {"busiest_pct", number_or_null(100 * tally.busy_ns / tally.ns)},
         {"linux_clock_mhz", number_or_null(tally.linux_clock / tally.busy_ns / 1e3)},
         {"flyball_clock_mhz", number_or_null(tally.ours_clock / tally.ours_busy_ns / 1e3)},
         {"linux_power_mw", number_or_null(mean_mw(tally.linux_mj, tally.ns))},
         {"flyball_power_mw", number_or_null(mean_mw(tally.ours_mj, tally.ns))},
         {"saved_pct", number_or_null(saved_pct(tally.linux_mj, tally.ours_mj))},
         {"late_work_pct", number_or_null(late_pct(tally))},
         {"linux_too_slow_s", tally.linux_slow_ns * 1e-9}});
  }
  return json;
}

std::string shadow_text(const ShadowResult& result, int columns) {
  Table table({{"policy", ""},
               {"Linux's", "", true},
               {"busiest core", "%"},
               {"clock, Linux", "MHz"},
               {"flyball", "MHz"},
               {"power, Linux", "W"},
               {"flyball", "W"},
               {"saved", "%"},
               {"late work", "%"},
               {"Linux too slow", "s"}});
  for (std::size_t c = 0; c < result.governors.size(); ++c) {
    const ShadowTally& tally = result.shadow.tally(static_cast<int>(c));
    table.add_row({result.real.spec().clusters[c].name, result.governors[c],
                   fixed(100 * tally.busy_ns / tally.ns, 1),
                   fixed(tally.linux_clock / tally.busy_ns / 1e3, 0),
                   fixed(tally.ours_clock / tally.ours_busy_ns / 1e3, 0),
                   fixed(mean_mw(tally.linux_mj, tally.ns) / 1e3, 2),
                   fixed(mean_mw(tally.ours_mj, tally.ns) / 1e3, 2),
                   fixed(saved_pct(tally.linux_mj, tally.ours_mj), 1), fixed(late_pct(tally), 2),
                   fixed(tally.linux_slow_ns * 1e-9, 1)});
  }
  std::string text = table.render(columns);
  text += wrapped(
      fmt::format("{} s watched, nothing written: {} would have taken {} W in place of {} W, "
                  "{} % less, by the model with assumed voltages.",
                  fixed(result.ns * 1e-9, 1), result.verb.policy,
                  fixed(mean_mw(result.ours_mj, result.ns) / 1e3, 2),
                  fixed(mean_mw(result.linux_mj, result.ns) / 1e3, 2),
                  fixed(saved_pct(result.linux_mj, result.ours_mj), 1)),
      columns);
  if (const std::string& source = result.real.power_source(); !source.empty()) {
    const double measured_ns = result.shadow.measured_ns();
    const std::string part = measured_ns > 0.995 * result.ns
                                 ? ""
                                 : fmt::format(" in {} s", fixed(measured_ns * 1e-9, 1));
    text +=
        wrapped(measured_ns > 0
                    ? fmt::format("Measured under Linux: {} W{} ({}), which has other parts in it.",
                                  fixed(mean_mw(result.shadow.measured_mj(), measured_ns) / 1e3, 2),
                                  part, source)
                    : fmt::format("Nothing was measured: {} told nothing meanwhile.", source),
                columns);
  }
  text += wrapped(
      "Late: of the busiest core's work, what would have been done an epoch or more later. Too "
      "slow: "
      "a core was busy throughout under Linux, and flyball's clock would have been higher.",
      columns);
  return text;
}

int run_shadow(const ShadowVerb& verb) {
  check_plain_policy(verb.policy);
  const SysTree tree = tree_at(verb.sysfs_root);
  const LinuxMachine machine = discover_machine(tree);
  LinuxOptions options;
  options.dry_run = true;
  options.duration_ns = std::llround(verb.duration_s * 1e9);
  LinuxPlatform real(tree, machine, options);
  ShadowPlatform shadow(real);
  const Belief belief = Belief::of(real.spec());
  const RewardWeights weights = reward_weights(belief);
  const std::unique_ptr<Agent> agent = make_agent(verb.policy, {belief, weights, verb.seed});
  const InterruptScope interrupt;
  const InterruptsPlatform interrupts(shadow);
  for (const RivalDaemon& rival : machine.rivals) write_note(shadowed_text(rival) + "\n");
  write_note(wrapped(fmt::format("Linux stays in charge: {} is watched beside it, and writes "
                                 "nothing. Ctrl-C ends it and shows the result.",
                                 verb.policy),
                     Terminal::of(STDERR_FILENO).columns));
  Shield shield(belief, {.guard = false});
  ControlLoop loop(shadow, *agent, shield, weights);
  ShadowProgress progress(shadow, !verb.json);
  loop.add_sink(progress);
  if (!interrupt.stopped()) loop.run();

  ShadowResult result{verb, machine, real, shadow, progress.epochs(), governors_of(machine, real)};
  for (std::size_t c = 0; c < result.governors.size(); ++c) {
    const ShadowTally& tally = shadow.tally(static_cast<int>(c));
    result.linux_mj += tally.linux_mj;
    result.ours_mj += tally.ours_mj;
    result.ns = std::fmax(result.ns, tally.ns);
  }
  write_result(verb.json ? json_text(shadow_json(result))
                         : shadow_text(result, Terminal::of(STDOUT_FILENO).columns));
  return 0;
}

}  // namespace

Verb add_shadow(CLI::App& program) {
  auto verb = std::make_shared<ShadowVerb>();
  CLI::App* parser = program.add_subcommand(
      "shadow", "Watch Linux's own governor, and say what flyball would have saved and missed");
  parser->add_option("--policy", verb->policy, "Who would have decided (default plain_load)")
      ->type_name("NAME");
  seconds_option(*parser, "--duration", verb->duration_s, 0.5, 86400,
                 "How long (default: until Ctrl-C)");
  seed_option(*parser, verb->seed, "Seed of the policy (default 1)");
  sysfs_root_option(*parser, verb->sysfs_root);
  json_option(*parser, verb->json);
  parser->footer("Example:\n  flyball shadow --duration 60    # for everybody; writes nothing");
  return {parser, [verb] { return run_shadow(*verb); }};
}

}  // namespace flyball::cli
