// The supervisor's process. Nobody but a governor starts it: it expects the governor's descriptors.

#include <fcntl.h>
#include <unistd.h>

#include <exception>
#include <string>

#include "governor/supervisor/supervise.h"

int main(int argc, char** argv) {
  using namespace flyball;
  if (argc != 2 || fcntl(kSettingsDescriptor, F_GETFD) < 0) {
    const std::string line =
        "flyball-supervisor: 'flyball run' starts it; after a governor that was killed: flyball "
        "restore\n";
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
    return 2;
  }
  try {
    return supervise(argv[1]);
  } catch (const std::exception& error) {
    const std::string line = std::string("flyball: supervisor: ") + error.what() + "\n";
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
    return 1;
  }
}
