#include "governor/mpi/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace flyball::mpi {
namespace {

std::string all_of(FILE* file) {
  std::string text;
  char part[4096];
  rewind(file);
  for (std::size_t got = 0; (got = fread(part, 1, sizeof part, file)) > 0;) text.append(part, got);
  return text;
}

ChildEnd run(const std::vector<std::string>& arguments, FILE* out, FILE* err) {
  std::vector<std::string> words = {flyball_path()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    if (out != nullptr) dup2(fileno(out), STDOUT_FILENO);
    if (err != nullptr) dup2(fileno(err), STDERR_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  ChildEnd end;
  int status = 0;
  while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (pid > 0 && WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  if (pid > 0 && WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
  if (err != nullptr) end.err = all_of(err);
  return end;
}

}  // namespace

std::string flyball_path() {
  std::error_code ignored;
  return (std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "flyball")
      .string();
}

ChildEnd run_flyball(const std::vector<std::string>& arguments, bool quiet) {
  if (!quiet) return run(arguments, nullptr, nullptr);
  FILE* const out = fopen("/dev/null", "w");
  FILE* const err = tmpfile();
  const ChildEnd end = run(arguments, out, err);
  if (out != nullptr) fclose(out);
  if (err != nullptr) fclose(err);
  return end;
}

ChildEnd run_flyball(const std::vector<std::string>& arguments, std::string& out) {
  FILE* const file = tmpfile();
  const ChildEnd end = run(arguments, file, nullptr);
  if (file != nullptr) {
    out = all_of(file);
    fclose(file);
  }
  return end;
}

}  // namespace flyball::mpi
