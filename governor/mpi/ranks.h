#pragma once

#include <functional>
#include <string>
#include <vector>

#include "governor/mpi/child.h"

// Every rank is a thin process that starts `flyball` for its part: one that runs out of memory or crashes
// takes neither the rank nor the others with it, and the rank tells whose part is missing.
namespace flyball::mpi {

inline constexpr int kWrongUse = 2, kFailed = 1;

struct Rank {
  int index = 0, count = 1;
  int on_this_host = 1;
  std::string name() const;
};

/// What rank 0 hears of each.
struct Told {
  std::string name, problem, bytes;
  int exit_code = 0;
};

void complain(const std::string& line);
/// Until all ranks are here.
void wait_for_all();
/// On rank 0 what all tell, in order; nothing on the others.
std::vector<Told> gather(const Rank& rank, const Told& mine);
/// What rank 0 says, on all.
int agree(const Rank& rank, int said);
/// Nothing when it ended well.
std::string problem_of(const ChildEnd& end);
/// What is wrong is said once where all say the same, and of each rank otherwise. 0 when nothing is.
int judge(const std::vector<Told>& all, const std::function<std::string(int)>& part,
          const std::string& remedy);

using Words = std::vector<std::string>;
/// Takes an option with its value out of `words`; empty when it is not there.
std::string take_value(Words& words, const std::string& option);
/// Cores that this rank's part may use: all that it was bound to, or a share of the machine's.
int threads_of(const Rank& rank);
/// The one asked for, made when absent; without one a new one among the temporary files. Throws
/// std::runtime_error.
std::string folder_for(const std::string& asked);
std::string bytes_of(const std::string& path);

// The verbs; the exit code, of rank 0.
int compare(const Rank& rank, Words words);
int train(const Rank& rank, Words words);

}  // namespace flyball::mpi
