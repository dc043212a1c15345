#include "governor/torch/dqn_verb.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "env/config/yaml.h"
#include "governor/machine/governed_platform.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"

namespace flyball {
namespace {

struct DqnOptions {
  std::vector<std::string> platforms;
  DqnPlay play{.scenarios = {"full_accuracy", "single_periodic", "bursty"}};
  DqnTraining training;
  std::string out;
  int threads = 0;
  bool json = false;
};

std::string file_of(const DqnOptions& options, const PlatformSpec& platform) {
  return options.out.ends_with('/') ? options.out + platform.name + ".dqn.policy" : options.out;
}

void run_dqn(DqnOptions options) {
  if (options.out.empty()) input_error("--out", "is empty", "name a file");
  if (options.platforms.size() > 1 && !options.out.ends_with('/')) {
    input_error("--out " + options.out, "each platform has a policy file of its own",
                "give a folder, with '/' at its end: PLATFORM.dqn.policy in it");
  }
  std::deque<PlatformSpec> platforms;
  std::vector<std::string> files;
  for (const std::string& name : options.platforms) {
    platforms.push_back(load_governed_platform(name, "none").spec);
    for (const std::string& scenario : options.play.scenarios)
      load_scenario(scenario, platforms.back());
  }
  if (options.out.ends_with('/')) make_output_folder("--out " + options.out, options.out);
  for (const PlatformSpec& platform : platforms) {
    files.push_back(file_of(options, platform));
    check_output("--out " + files.back(), files.back(), kPolicyOutput);
  }
  std::vector<NamedOutput> named;
  for (const std::string& file : files) named.push_back({"--out " + file, file});
  check_distinct(named);

  const bool told = isatty(STDERR_FILENO) != 0;
  const auto say = [told](double done) {
    if (told) fmt::print(stderr, "\rtraining dqn: {:3.0f} %", 100 * done);
  };
  options.play.seed = options.training.seed;
  options.play.threads = options.threads > 0 ? static_cast<unsigned>(options.threads)
                                             : std::max(1u, std::thread::hardware_concurrency());
  std::vector<DqnBoards> boards;
  std::size_t jobs = 0;
  for (const PlatformSpec& platform : platforms) {
    say(0);
    boards.push_back(play_boards(platform, options.play));
    std::size_t here = 0;
    for (const auto& each : boards.back().jobs) here += each.size();
    if (here == 0) {
      input_error("--scenario", fmt::format("on {} no job can be learned from", platform.name),
                  "name scenarios with an application, or give more --jobs");
    }
    jobs += here;
  }
  options.training.progress = say;
  const DqnTrained trained = train_dqn(boards, options.training);
  if (told) fmt::print(stderr, "\r\033[K");
  for (std::size_t p = 0; p < platforms.size(); ++p) {
    write_policy(files[p],
                 dqn_policy(platforms[p], trained.body, trained.mean[p], trained.spread[p]));
  }
  if (options.json) {
    nlohmann::ordered_json all{{"schema", 1},
                               {"files", files},
                               {"jobs", jobs},
                               {"untrained_error_jobs", trained.untrained_error},
                               {"error_jobs", trained.error}};
    fmt::print("{}\n", all.dump(2));
  } else {
    fmt::print("learned from {} jobs on {} boards of each of {} platforms\n", jobs,
               options.play.boards, platforms.size());
    fmt::print(
        "a job's cost, after ten jobs on the boards that chose the best step: off by {:.4f} "
        "reference jobs untrained, {:.4f} trained{}\n",
        trained.untrained_error, trained.error,
        trained.error < trained.untrained_error ? "" : ": training did not help");
    for (const std::string& file : files) fmt::print("wrote {}\n", file);
  }
  // What could not be printed is a failure, though the files are there.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    failure("standard output", "cannot be written", "the policy files are whole");
}

}  // namespace

std::function<void()> add_dqn(CLI::App& app, CLI::App*& parser) {
  auto options = std::make_shared<DqnOptions>();
  parser = app.add_subcommand(
      "dqn",
      "Train the agent 'dqn' on simulated boards that are not as described, into policy files");
  parser->add_option("--platform", options->platforms, "which descriptions the boards differ from")
      ->delimiter(',')
      ->required();
  parser->add_option("--scenario", options->play.scenarios, "what is played on each board")
      ->delimiter(',')
      ->capture_default_str();
  parser
      ->add_option("--out", options->out,
                   "the policy file, or a folder/ for PLATFORM.dqn.policy of several platforms")
      ->required();
  parser->add_option("--boards", options->play.boards, "how many boards of each platform")
      ->check(CLI::Range(4, 10'000))
      ->capture_default_str();
  parser->add_option("--jobs", options->play.jobs, "jobs of each scenario on each board")
      ->check(CLI::Range(20, 100'000))
      ->capture_default_str();
  parser->add_option("--steps", options->training.steps, "steps of the optimiser")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  parser->add_option("--seed", options->training.seed, "of boards, jobs and first weights")
      ->capture_default_str();
  parser
      ->add_option("--threads", options->threads,
                   "how many threads play; the result does not depend on it (all cores)")
      ->check(CLI::Range(1, 4096));
  parser->add_flag("--json", options->json, "print what came of it as JSON");
  parser->footer(
      "The same seed gives the same file on the same machine.\nExample:\n"
      "  flyball-torch dqn --platform odroid_xu3,jetson_nano --out ./");
  return [options] { run_dqn(*options); };
}

}  // namespace flyball
