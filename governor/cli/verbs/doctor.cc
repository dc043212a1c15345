#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>
#include <optional>

#include "agents/agent.h"
#include "env/linux/discover/linux_machine.h"
#include "env/linux/linux_platform.h"
#include "env/linux/perf_counter_source.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/sysfs_root.h"
#include "governor/cli/views/doctor_report.h"
#include "governor/loop/control_loop.h"
#include "governor/metrics/session.h"
#include "kernels/base/clock.h"

namespace flyball::cli {
namespace {

struct DoctorOptions {
  std::string sysfs_root = "/";
  bool json = false;
};

/// Of one CPU: what it offers, the others of its kind do.
std::string counters_of(const LinuxMachine& machine) {
  const int cpu = machine.online.nth(0);
  if (cpu < 0) return "";
  const std::string text = PerfCounterSource::of_cpus(CpuSet{cpu}).describe();
  const std::string_view prefix = "Counters: ";
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

class CostSink final : public EpochSink {
 public:
  void on_epoch(const EpochEvent& event) noexcept override {
    ++cost.epochs;
    const double s = static_cast<double>(event.outcome.epoch_ns) * 1e-9;
    cost.seconds += s;
    for (int c = 0; c < event.outcome.cluster_count; ++c) {
      const auto at = static_cast<std::size_t>(c);
      cost.busy_cores += s * event.outcome.cluster[at].util_mean * cores[at];
    }
  }
  EpochCost cost;
  std::array<int, kMaxClusters> cores{};
};

/// A dry run of a moment: whatever it takes of this thread.
std::optional<EpochCost> epoch_cost(const SysTree& tree, const LinuxMachine& machine) {
  if (machine.policies.empty()) return {};
  LinuxOptions options;
  options.dry_run = true;
  options.duration_ns = 450'000'000;  // shorter than it takes to nap
  LinuxPlatform platform(tree, machine, options);
  const Belief belief = Belief::of(platform.spec());
  const RewardWeights weights = reward_weights(belief);
  const std::unique_ptr<Agent> agent = make_agent("plain_load", {belief, weights, 1});
  Shield shield(belief, {.guard = false});
  ControlLoop loop(platform, *agent, shield, weights);
  CostSink sink;
  for (std::size_t c = 0; c < platform.spec().clusters.size(); ++c)
    sink.cores[c] = platform.spec().clusters[c].cores;
  loop.add_sink(sink);
  const std::int64_t begin_ns = thread_cpu_ns();
  loop.run();
  if (sink.cost.epochs == 0) return {};
  sink.cost.cpu_us = 1e-3 * static_cast<double>(thread_cpu_ns() - begin_ns) /
                     static_cast<double>(sink.cost.epochs);
  sink.cost.busy_cores /= sink.cost.seconds;
  return sink.cost;
}

int doctor(const DoctorOptions& options) {
  const SysTree tree = tree_at(options.sysfs_root);
  DoctorFinding found;
  found.machine = discover_machine(tree);
  if (tree.root().empty()) found.counters = counters_of(found.machine);
  constexpr std::int64_t kLookNs = 500'000'000;
  found.energy = check_energy_model(tree, found.machine, kLookNs);
  found.reads = measure_read_costs(tree, found.machine, linux_setting_calls());
  found.epochs = epoch_cost(tree, found.machine);
  write_result(options.json ? json_text(doctor_json(found))
                            : doctor_text(found, Terminal::of(STDOUT_FILENO).columns));
  return 0;
}

}  // namespace

Verb add_doctor(CLI::App& program) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App* parser = program.add_subcommand(
      "doctor", "Say what this machine offers a governor, lacks, has in its way, and costs");
  sysfs_root_option(*parser, options->sysfs_root);
  json_option(*parser, options->json);
  parser->footer("Example:\n  flyball doctor    # changes nothing; paste what it says in a report");
  return {parser, [options] { return doctor(*options); }};
}

}  // namespace flyball::cli
