#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "governor/cli/interrupt.h"
#include "governor/cli/options.h"
#include "governor/cli/progress.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/made_file.h"
#include "governor/cli/verbs/profile_table.h"
#include "governor/cli/verbs/sysfs_root.h"
#include "governor/cli/views/engine.h"
#include "governor/cli/views/quota.h"
#include "governor/machine/decision_latency.h"
#include "governor/machine/governed_platform.h"
#include "governor/machine/machine_profile.h"
#include "governor/supervisor/state_dir.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"

namespace flyball::cli {
namespace {

struct ProfileVerb {
  std::string platform = "host";
  std::string out;  ///< empty: where 'run' looks for it
  double seconds = 4;
  bool json = false;
  ProfileTable table;  ///< without a file: this machine's times are measured, and stored
};

/// The application whose network is measured.
const AppProfile& app_with_model(const PlatformSpec& platform) {
  for (const AppProfile& app : platform.apps)
    if (!app.model.empty()) return app;
  input_error(fmt::format("platform '{}'", platform.name), "none of its applications has a model",
              "give one of them 'model: NAME', or use '--platform host'");
}

constexpr int kAttempts = 3;
constexpr std::int64_t kPauseNs = 500'000;  // about as long as a batch: jobs have pauses between

/// Measures again, up to kAttempts times in all, while some times are unstable, and keeps the
/// steadiest of each.
EngineCalibration measure(InferenceEngine& engine, double seconds, int& attempts) {
  Progress progress("measuring this machine");
  EngineCalibration best;
  for (attempts = 1;; ++attempts) {
    const EngineCalibration now = engine.calibrate(
        profile_cpu_sets(), static_cast<std::int64_t>(seconds * 1e9),
        [&](double done) { progress.update((attempts - 1 + done) / kAttempts); }, kPauseNs);
    if (attempts == 1) best = now;
    best.take_steadier(now);
    if (best.unstable_rows() == 0 || attempts == kAttempts) return best;
  }
}

std::string unstable_note(const EngineCalibration& calibration, int attempts) {
  return fmt::format(
      "Unstable: {} of {} times spread by more than {:.0f} % even after {} attempts, since other "
      "programs ran beside. They are stored, and whoever uses them says so; measure again on an "
      "idle machine.",
      calibration.unstable_rows(), calibration.rows.size(), EngineCalibration::kUnstablePct,
      attempts);
}

/// Options of the one kind of profile that were given for the other.
void check_kind(const ProfileVerb& verb, const CLI::App& parser) {
  const bool tabled = !verb.table.file.empty();
  for (const char* option : {"--sysfs-root", "--state-dir", "--settle", "--dry-run"})
    if (!tabled && parser.count(option) > 0)
      input_error(option, "is for '--table FILE'", "add that, or leave it out");
  if (tabled && !verb.out.empty())
    input_error("--out " + verb.out,
                "is where the machine's profile goes, and '--table' makes none",
                "leave one of the two out");
  if (tabled) check_standard_output(verb.table.file, verb.json, "--table");
}

int run_profile(const ProfileVerb& verb, const CLI::App& options) {
  check_kind(verb, options);
  if (!verb.table.file.empty()) {
    ProfileTable table = verb.table;
    table.seconds = verb.seconds;
    table.json = verb.json;
    const GovernedPlatform governed = load_governed_platform(verb.platform, "none");
    return profile_table(table, model_of(app_with_model(governed.spec)));
  }
  const InterruptScope interrupt(
      "flyball: profile: interrupted before every batch was done; nothing was stored, run it "
      "again\n");
  const GovernedPlatform governed = load_governed_platform(verb.platform, "none");
  if (!governed.spec.emulated) {
    input_error(fmt::format("platform '{}'", governed.spec.name),
                "is simulated: this machine's times say nothing of it", "use '--platform host'");
  }
  const AppProfile& app = app_with_model(governed.spec);
  const NamedModel named = model_of(app);
  const std::string path = verb.out.empty() ? default_profile_path() : verb.out;
  const std::string what = verb.out.empty() ? path : "--out " + path;
  // The default place is made when it is absent; a folder that somebody names has to be there.
  if (verb.out.empty())
    make_output_folder(what, std::filesystem::path(path).parent_path().string());
  check_profile_output(what, path);
  const std::unique_ptr<InferenceEngine> engine = make_engine(named.model);
  const CpuThrottling before = read_cpu_throttling();
  int attempts = 0;
  const EngineCalibration calibration = measure(*engine, verb.seconds, attempts);
  // Where nobody may pin, unpinned is how it will run. A CPU that went while the others were
  // measured says nothing of any run.
  if (calibration.any_pinned && calibration.any_unpinned)
    failure("profile", engine->problem(), "nothing was stored; measure again when it is back");
  const Network& network = engine->network();
  MachineProfile profile = make_profile(calibration, network, app.model, named.checksum);
  profile.decision_latency_us = measure_decision_latency();
  const CpuThrottling throttling = read_cpu_throttling() - before;
  std::optional<Error> not_written;
  try {
    write_profile(path, profile);
  } catch (const Error& error) {
    not_written = error;
  }

  if (verb.json) {
    write_result(json_text({{"schema", 1},
                            {"profile", not_written ? Json(nullptr) : Json(path)},
                            {"model", named.path},
                            {"checksum", fmt::format("{:08x}", named.checksum)},
                            {"cpu", profile.machine.cpu},
                            {"cpus", profile.machine.cpus},
                            {"operators", profile.machine.operators},
                            {"cpu_quota", quota_json(profile.machine.cpu_quota)},
                            {"throttled_periods", throttling.throttled},
                            {"decision_latency_us", profile.decision_latency_us},
                            {"attempts", attempts},
                            {"unstable", calibration.unstable_rows() > 0},
                            {"problem", engine->problem()},
                            {"rows", timing_json(calibration, network)}}));
    if (not_written) throw *not_written;
    return 0;
  }
  const int columns = Terminal::of(STDOUT_FILENO).columns;
  std::string text =
      fmt::format("One inference of {} on {}, {} CPU{}\n\n", app.model, profile.machine.cpu,
                  profile.machine.cpus, profile.machine.cpus == 1 ? "" : "s");
  text += timing_table(calibration, network).render(columns) + '\n';
  text += wrapped(operators_note(network), columns);
  text += wrapped(
      "Time is the first decile of the batches, which the governor starts from; spread "
      "is half its distance from the last one, in percent of the median.",
      columns);
  text += wrapped(fmt::format("A decision takes {:.0f} us to take effect, from the wake-up of its "
                              "thread on.",
                              profile.decision_latency_us),
                  columns);
  if (calibration.unstable_rows() > 0)
    text += wrapped(unstable_note(calibration, attempts), columns);
  if (profile.machine.cpu_quota > 0) {
    text += wrapped(quota_sentence() + " The profile is used under this quota only.", columns);
    if (throttling.throttled > 0) text += wrapped(throttling_sentence(throttling), columns);
  }
  if (!engine->problem().empty()) text += wrapped(engine->problem(), columns);
  if (!not_written) text += fmt::format("Stored in {}\n", path);
  write_result(text);
  if (not_written) throw *not_written;
  return 0;
}

}  // namespace

Verb add_profile(CLI::App& program) {
  auto verb = std::make_shared<ProfileVerb>();
  CLI::App* parser = program.add_subcommand(
      "profile", "Measure this machine: time per width, precision and cores, for run and train");
  parser
      ->add_option("--platform", verb->platform,
                   "The emulated platform whose network is measured (default host)")
      ->type_name("NAME|FILE");
  parser
      ->add_option("--out", verb->out,
                   "Where to store it (default: under $XDG_STATE_HOME, or ~/.local/state, where "
                   "'run' finds it)")
      ->type_name("FILE");
  seconds_option(
      *parser, "--seconds", verb->seconds, 0.1, 8,
      "How long to measure (default 4); up to three times as long where times are unstable; with "
      "--table, each of its points");
  parser
      ->add_option(
          "--table", verb->table.file,
          "Measure time and power of each cluster at each clock and number of cores instead, "
          "by the machine's power sensor, and write the table, which 'fit --data' reads")
      ->type_name("FILE.csv");
  seconds_option(
      *parser, "--settle", verb->table.settle_s, 0.05, 600,
      "With --table: how long a point runs before it is measured (default 1, and 30 where "
      "the battery alone tells power)");
  parser->add_flag("--dry-run", verb->table.dry_run,
                   "With --table: say what would be measured, and turn nothing");
  sysfs_root_option(*parser, verb->table.sysfs_root);
  verb->table.state_dir = kDefaultStateDir;
  parser
      ->add_option("--state-dir", verb->table.state_dir,
                   "With --table: where the settings to give back are kept (default " +
                       std::string(kDefaultStateDir) + ")")
      ->type_name("DIR");
  json_option(*parser, verb->json);
  parser->footer(
      "Times whose spread is above 30 % are unstable: something else ran beside. They are "
      "measured\n"
      "again, twice at most, and the steadiest are kept; a profile that stays unstable is stored\n"
      "with a warning, and every verb that uses it says so. A profile made under a CPU quota "
      "(cgroup\n"
      "cpu.max) is used under the same quota only.\n\n"
      "Example:\n  flyball profile --json\n  sudo flyball profile --table board.csv");
  return {parser, [verb, parser] { return run_profile(*verb, *parser); }};
}

}  // namespace flyball::cli
