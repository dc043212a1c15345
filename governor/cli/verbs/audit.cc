#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "agents/agent.h"
#include "governor/cli/interrupt.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/asked_governor.h"
#include "governor/cli/verbs/linux_holding.h"
#include "governor/cli/verbs/run_linux.h"
#include "governor/cli/verbs/sysfs_root.h"
#include "governor/cli/views/audit_report.h"
#include "governor/machine/rival_watch.h"
#include "governor/metrics/session.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

constexpr int kLeastRounds = 3;  // below that, an interval says nothing

struct AuditVerb {
  std::string policy = "plain_load";
  std::string actuator = "auto";
  std::string sysfs_root = "/";
  std::string state_dir = kDefaultStateDir;
  double minutes = 10, block_s = 10;
  std::uint64_t seed = 1;
  bool json = false;
};

int rounds_of(const AuditVerb& verb) {
  const int rounds = static_cast<int>(std::floor(verb.minutes * 60 / (3 * verb.block_s) + 1e-9));
  if (rounds < kLeastRounds) {
    input_error(fmt::format("--minutes {:g}", verb.minutes),
                fmt::format("makes {} rounds of three blocks of {:g} s, too few for an interval",
                            rounds, verb.block_s),
                fmt::format("give {:.2g} or more, or a shorter --block",
                            kLeastRounds * 3 * verb.block_s / 60));
  }
  return rounds;
}

/// A line per round. Nothing hangs on this loop being in time, so it may write.
class AuditProgress final : public EpochSink {
 public:
  AuditProgress(const AuditPlatform& audit, int rounds) : audit_(audit), rounds_(rounds) {}
  void on_epoch(const EpochEvent&) noexcept override {
    const std::size_t rounds = audit_.blocks().size() / 3;
    if (rounds == told_) return;
    told_ = rounds;
    offer_note(fmt::format("round {} of {} done\n", rounds, rounds_));
  }

 private:
  const AuditPlatform& audit_;
  const int rounds_;
  std::size_t told_ = 0;
};

AuditResult result_of(const AuditVerb& verb, const AuditPlatform& audit,
                      const std::vector<std::string>& governors) {
  AuditResult result;
  result.policy = verb.policy;
  result.governors = governors;
  result.power_source = audit.power_source();
  result.block_s = verb.block_s;
  result.rounds = static_cast<int>(audit.blocks().size() / 3);
  if (result.rounds < kLeastRounds) {
    failure("audit",
            fmt::format("only {} rounds are complete, too few for an interval", result.rounds),
            "let it run to its end");
  }
  result.figures = audit_figures(audit.blocks());
  const double per_mw = 1e9 / audit.shadow_ns();
  result.predicted_linux_mw = audit.shadow_linux_mj() * per_mw;
  result.predicted_ours_mw = audit.shadow_ours_mj() * per_mw;
  return result;
}

int run_audit(const AuditVerb& verb) {
  check_plain_policy(verb.policy);
  const int rounds = rounds_of(verb);
  LinuxOptions options;
  options.actuator = actuator_of(verb.actuator);
  if (options.actuator == ActuatorKind::kUclamp)
    input_error("--actuator uclamp",
                "clamps reach threads that are known, and plain load's are not",
                "use another, or leave it out");
  const SysTree tree = tree_at(verb.sysfs_root);
  LinuxMachine machine = discover_machine(tree);
  const Belief belief = Belief::of(make_machine_spec(machine).spec);
  const RewardWeights weights = reward_weights(belief);
  const std::unique_ptr<Agent> agent = make_agent(verb.policy, {belief, weights, verb.seed});
  const char* const kCannot = "it cannot be measured here what flyball saves";
  if (!PowerReading(tree, machine, linux_setting_calls()).measures()) {
    failure("audit", std::string(kCannot) + ": nothing measures power",
            "'flyball shadow' says what a model makes of it, 'flyball doctor' what there is");
  }
  if (!writes_any(machine, options.actuator)) {
    failure("audit", std::string(kCannot) + ": no clock may be written by this process",
            "start it as root, or give the container write access to /sys/devices/system/cpu");
  }

  const InterruptScope interrupt;
  Holding holding(verb.state_dir, tree);
  options.hook = &holding.hook();
  machine = discover_again(tree, machine);
  std::optional<AuditResult> result;
  std::vector<std::string> notes;
  for (const RivalDaemon& rival : machine.rivals) notes.push_back(rival_text(rival));
  for (const std::string& note : notes) offer_note(note + "\n");
  bool lost_supervisor = false;
  std::optional<Error> spoilt;
  {
    LinuxPlatform real(tree, machine, options);
    AuditPlatform audit(real, tree, machine, audit_schedule(rounds, verb.seed),
                        std::llround(verb.block_s * 1e9));
    offer_note(wrapped(
        fmt::format(
            "{} rounds of three blocks of {:g} s, some {:.1f} minutes: use the machine as you "
            "do. Ctrl-C ends it, gives everything back and shows what is complete.",
            rounds, verb.block_s, rounds * 3 * verb.block_s / 60),
        Terminal::of(STDERR_FILENO).columns));
    {
      const InterruptsPlatform interrupts(audit);
      Shield shield(belief, {.guard = false});
      ControlLoop loop(audit, *agent, shield, weights);
      BeatSink beat(holding.takeover(), real,
                    std::max(agent->epoch().interval_ns, AuditPlatform::kLookNs));
      RivalWatch rivals(holding.takeover().settings(), real, false,
                        [&](const std::string& sentence) {
                          offer_note(sentence + "\n");
                          notes.push_back(sentence);
                        });
      AuditProgress progress(audit, rounds);
      loop.add_sink(beat);
      loop.add_sink(rivals);
      if (!verb.json) loop.add_sink(progress);
      if (!interrupt.stopped()) loop.run();
      lost_supervisor = beat.lost_supervisor();
      give_back_first(real, holding.takeover());
    }
    try {
      result = result_of(verb, audit, governors_of(machine, real));
    } catch (const Error& error) {
      spoilt = error;
    }
  }
  const GiveBackResult returned = holding.takeover().give_back();
  if (result) {
    result->notes = std::move(notes);
    write_result(verb.json ? json_text(audit_json(*result))
                           : audit_text(*result, Terminal::of(STDOUT_FILENO).columns));
  }
  check_given_back("audit", returned, lost_supervisor);
  if (spoilt) throw *spoilt;
  return 0;
}

}  // namespace

Verb add_audit(CLI::App& program) {
  auto verb = std::make_shared<AuditVerb>();
  CLI::App* parser = program.add_subcommand(
      "audit", "Measure whether flyball saves anything here, under your own load");
  minutes_option(*parser, "--minutes", verb->minutes, 0.01, 10'000,
                 "How long, at most (default 10)");
  seconds_option(*parser, "--block", verb->block_s, 0.2, 3600,
                 "How long one of the two governs at a time (default 10)");
  parser
      ->add_option("--policy", verb->policy, "Who decides in flyball's blocks (default plain_load)")
      ->type_name("NAME");
  parser
      ->add_option("--actuator", verb->actuator,
                   "How clocks are turned, as of 'run' (default auto)")
      ->type_name("auto|setspeed|bounds");
  seed_option(*parser, verb->seed, "Of the order of the blocks (default 1)");
  sysfs_root_option(*parser, verb->sysfs_root);
  state_dir_option(*parser, verb->state_dir);
  json_option(*parser, verb->json);
  parser->footer(
      "Example:\n  sudo flyball audit --minutes 20    # while you work as you always do");
  return {parser, [verb] { return run_audit(*verb); }};
}

}  // namespace flyball::cli
