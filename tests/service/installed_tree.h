#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <set>

#include "tests/governor/subprocess.h"

namespace flyball::testing {

struct ShellResult {
  int exit_code = -1;
  std::string said;  ///< on both outputs
};

inline ShellResult shell(const std::string& command) {
  const TempDir dir;
  const int status = std::system(("( " + command + " ) > " + (dir / "said") + " 2>&1").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          read_text(dir / "said")};
}

inline bool has_program(const std::string& name) {
  return shell("command -v " + name).exit_code == 0;
}

inline std::string build_dir() { return FLYBALL_BUILD_DIR; }

/// What `cmake --install` makes of this build below a folder of its own. Staged as for a package, so
/// that the build's record of installations stays the user's.
class InstalledTree {
 public:
  InstalledTree() {
    result_ = shell("DESTDIR=" + stage_.path().string() + " cmake --install " + build_dir() +
                    " --prefix /opt/flyball");
  }
  static const InstalledTree& get() {
    static const InstalledTree tree;
    return tree;
  }
  const ShellResult& result() const { return result_; }
  std::string path(const std::string& name) const {
    return (stage_.path() / "opt/flyball" / name).string();
  }
  std::string text(const std::string& name) const { return read_text(path(name)); }

 private:
  TempDir stage_;
  ShellResult result_;
};

/// Everything below a folder, folders with a slash behind them.
inline std::set<std::string> entries_below(const std::filesystem::path& folder) {
  std::set<std::string> all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = std::filesystem::relative(entry.path(), folder).string();
    all.insert(entry.is_directory() && !entry.is_symlink() ? name + "/" : name);
  }
  return all;
}

}  // namespace flyball::testing

/// For tests that run a program of this build directly, without the emulator.
#define FLYBALL_RUNS_NATIVELY()                                                            \
  do {                                                                                     \
    if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "the program runs only in an emulator"; \
  } while (false)
