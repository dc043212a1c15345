#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "governor/cli/terminal.h"
#include "governor/cli/verbs/network.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTrainer = "flyball-torch";
constexpr const char* kAbsent = "was not built, since LibTorch was missing, or was left behind";
constexpr const char* kRemedy =
    "sudo apt-get install libtorch-dev libopenblas-dev, then ./dev build";

bool is_program(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0;
}

/// Beside this program, else in PATH; empty when it is in neither.
std::string find_trainer() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (!error && is_program(self.parent_path() / kTrainer))
    return (self.parent_path() / kTrainer).string();
  const char* path = std::getenv("PATH");
  std::string folders = path != nullptr ? path : "";
  while (!folders.empty()) {
    const std::size_t colon = std::min(folders.find(':'), folders.size());
    const fs::path candidate = fs::path(folders.substr(0, colon)) / kTrainer;
    if (colon > 0 && is_program(candidate)) return candidate.string();
    folders.erase(0, colon + 1);
  }
  return "";
}

/// Becomes the trainer: its exit status is the verb's. LibTorch costs half a second and 160 MB at
/// start, so it is a program of its own.
int hand_over(const CLI::App& parser, const char* task) {
  const std::vector<std::string> arguments = parser.remaining();
  const std::string trainer = find_trainer();
  const bool help = std::find(arguments.begin(), arguments.end(), "--help") != arguments.end();
  if (trainer.empty() && help) {
    // The options are the trainer's to tell.
    write_result(parser.help("flyball network") +
                 fmt::format("\nIts options are told by {}, which {}: {}, then again 'flyball "
                             "network {} --help'.\n",
                             kTrainer, kAbsent, kRemedy, parser.get_name()));
    return 0;
  }
  if (trainer.empty()) {
    failure(kTrainer, kAbsent, kRemedy);
  }
  std::vector<std::string> words = {trainer, task};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  // What is ignored stays so across exec, and a trainer whose reader has gone would train on.
  for (const int ignored : {SIGPIPE, SIGXFSZ}) signal(ignored, SIG_DFL);
  execv(trainer.c_str(), argv.data());
  const int error = errno;
  for (const int ignored : {SIGPIPE, SIGXFSZ}) signal(ignored, SIG_IGN);
  failure(trainer, std::strerror(error), "build it again: ./dev build");
}

Verb handed_over(CLI::App& network, const std::string& name, const char* task,
                 const std::string& help) {
  CLI::App* parser = network.add_subcommand(
      name, fmt::format("{}; takes the options of {} {}", help, kTrainer, task));
  // Every argument is the trainer's, --help included.
  parser->prefix_command();
  parser->set_help_flag();
  parser->footer(fmt::format("Example:\n  flyball network {} --help", name));
  return {parser, [parser, task] { return hand_over(*parser, task); }};
}

}  // namespace

Verb add_network_train(CLI::App& network) {
  return handed_over(network, "train", "train-network", "Train a network with LibTorch");
}

Verb add_network_dqn(CLI::App& network) {
  return handed_over(network, "dqn", "dqn", "Train the agent 'dqn' with LibTorch");
}

}  // namespace flyball::cli
