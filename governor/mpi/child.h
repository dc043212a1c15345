#pragma once

#include <string>
#include <vector>

namespace flyball::mpi {

/// How a program that this one started ended.
struct ChildEnd {
  int exit_code = -1;
  int signal = 0;   ///< that ended it; 0: none
  std::string err;  ///< what it said on standard error, where that was kept
  bool good() const { return signal == 0 && exit_code == 0; }
};

/// The `flyball` that is beside this program.
std::string flyball_path();
/// Runs it to its end; it dies with this process. With `quiet` its output is thrown away and its errors are
/// kept; otherwise both are this program's.
ChildEnd run_flyball(const std::vector<std::string>& arguments, bool quiet);
/// The same, with what it prints.
ChildEnd run_flyball(const std::vector<std::string>& arguments, std::string& out);

}  // namespace flyball::mpi
