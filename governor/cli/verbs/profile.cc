#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/views/engine.h"
#include "governor/machine/governed_platform.h"
#include "governor/machine/machine_profile.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"

namespace flyball::cli {
namespace {

struct ProfileVerb {
  std::string platform = "host";
  std::string out;  ///< empty: where 'run' looks for it
  double seconds = 4;
  bool json = false;
};

/// The application whose network is measured.
const AppProfile& app_with_model(const PlatformSpec& platform) {
  for (const AppProfile& app : platform.apps)
    if (!app.model.empty()) return app;
  input_error(fmt::format("platform '{}'", platform.name), "none of its applications has a model",
              "give one of them 'model: NAME', or use '--platform host'");
}

int run_profile(const ProfileVerb& verb) {
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
  const EngineCalibration calibration =
      engine->calibrate(profile_cpu_sets(), static_cast<std::int64_t>(verb.seconds * 1e9));
  // Where nobody may pin, unpinned is how it will run. A CPU that went while the others were
  // measured says nothing of any run.
  if (calibration.any_pinned && calibration.any_unpinned)
    failure("profile", engine->problem(), "nothing was stored; measure again when it is back");
  const Network& network = engine->network();
  const MachineProfile profile = make_profile(calibration, network, app.model, named.checksum);
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
  seconds_option(*parser, "--seconds", verb->seconds, 0.1, 8, "How long to measure (default 4)");
  json_option(*parser, verb->json);
  parser->footer("Example:\n  flyball profile --json");
  return {parser, [verb] { return run_profile(*verb); }};
}

}  // namespace flyball::cli
