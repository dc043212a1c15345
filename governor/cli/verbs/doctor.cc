#include <unistd.h>

#include <filesystem>
#include <memory>

#include "env/linux/discover/linux_machine.h"
#include "env/linux/perf_counter_source.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/sysfs_root.h"
#include "governor/cli/views/doctor_report.h"

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

int doctor(const DoctorOptions& options) {
  const SysTree tree = tree_at(options.sysfs_root);
  DoctorFinding found;
  found.machine = discover_machine(tree);
  if (tree.root().empty()) found.counters = counters_of(found.machine);
  constexpr std::int64_t kLookNs = 500'000'000;
  found.energy = check_energy_model(tree, found.machine, kLookNs);
  write_result(options.json ? json_text(doctor_json(found))
                            : doctor_text(found, Terminal::of(STDOUT_FILENO).columns));
  return 0;
}

}  // namespace

Verb add_doctor(CLI::App& program) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App* parser = program.add_subcommand(
      "doctor", "Say what this machine offers a governor, lacks, and has in its way");
  sysfs_root_option(*parser, options->sysfs_root);
  json_option(*parser, options->json);
  parser->footer("Example:\n  flyball doctor    # changes nothing; paste what it says in a report");
  return {parser, [options] { return doctor(*options); }};
}

}  // namespace flyball::cli
