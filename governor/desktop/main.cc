// flyball-desktop: power profiles of the desktop, by D-Bus, for a governor that runs. A process beside
// the governor, which is to stay small: the library for D-Bus would cost it more than all of this.

#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <cstdio>
#include <string>

#include "governor/desktop/desktop.h"
#include "governor/supervisor/state_dir.h"
#include "kernels/base/error.h"
#include "kernels/base/file_descriptor.h"

namespace {

constexpr const char* kUsage =
    "usage: flyball-desktop [--state-dir DIR] [--sysfs-root DIR]\n\n"
    "Follows the power profile of the desktop, or provides power profiles where nobody does, and "
    "tells\n"
    "the flyball that governs: performance is preference 0, balanced 0.5 (0.75 on battery), "
    "power-saver 1.\n"
    "Ends with SIGTERM or Ctrl-C.\n";

flyball::Desktop::Options options_of(int argc, char** argv) {
  flyball::Desktop::Options options{flyball::kDefaultStateDir, "/"};
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    std::string* value = word == "--state-dir"    ? &options.state_dir
                         : word == "--sysfs-root" ? &options.sysfs_root
                                                  : nullptr;
    if (value == nullptr || i + 1 == argc || *argv[i + 1] == '\0') {
      flyball::input_error(word, value ? "needs a value" : "is not known here",
                           "see 'flyball-desktop --help'");
    }
    *value = argv[++i];
  }
  return options;
}

/// Readable when it is to end.
flyball::FileDescriptor end_signals() {
  sigset_t ends;
  sigemptyset(&ends);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&ends, number);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  return flyball::FileDescriptor(signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && (std::string(argv[1]) == "--help" || std::string(argv[1]) == "-h"))
    return std::fputs(kUsage, stdout) < 0 || std::fflush(stdout) != 0 ? 1 : 0;
  try {
    const flyball::Desktop::Options options = options_of(argc, argv);
    const flyball::FileDescriptor stop = end_signals();
    flyball::Desktop desktop(options);
    desktop.run(stop.get());
    return 0;
  } catch (const flyball::Error& error) {
    fmt::print(stderr, "flyball-desktop: {}\n", error.what());
    return error.kind() == flyball::Error::Kind::kInput ? 2 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "flyball-desktop: internal error: {}\n", error.what());
    return 1;
  }
}
