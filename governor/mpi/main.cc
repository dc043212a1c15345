#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <exception>

#include "governor/mpi/ranks.h"

namespace flyball::mpi {
namespace {

constexpr const char* kUsage =
    "Runs flyball's verbs on the ranks of MPI, each a part:\n"
    "  mpirun -n 4 flyball-mpi compare [--state DIR] OPTIONS OF 'flyball compare'\n"
    "  mpirun -n 4 flyball-mpi train --out FILE OPTIONS OF 'flyball train'\n"
    "compare divides the seeds, and prints what one 'flyball compare --no-times' would. With "
    "--state DIR, "
    "a folder\nthat is made, what a rank did is kept there; when one dies, the same command again "
    "runs "
    "only what is missing.\ntrain lets every rank train with other seeds, and keeps the policy "
    "that is "
    "paid best on seeds that none had.\n";

int run(const Rank& rank, int argc, char** argv) {
  const Words words(argv + std::min(argc, 2), argv + argc);
  const std::string verb = argc > 1 ? argv[1] : "--help";
  const bool help =
      verb == "--help" || verb == "-h" || std::ranges::find(words, "--help") != words.end();
  if (help) {
    if (rank.index == 0) fmt::print("{}", kUsage);
    return 0;
  }
  if (verb == "compare") return compare(rank, words);
  if (verb == "train") return train(rank, words);
  if (rank.index == 0)
    complain(fmt::format("verb '{}': there is none of that name; use compare or train", verb));
  return kWrongUse;
}

}  // namespace
}  // namespace flyball::mpi

int main(int argc, char** argv) {
  using namespace flyball::mpi;
  MPI_Init(&argc, &argv);
  Rank rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank.index);
  MPI_Comm_size(MPI_COMM_WORLD, &rank.count);
  MPI_Comm here;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here);
  MPI_Comm_size(here, &rank.on_this_host);
  MPI_Comm_free(&here);
  int code = kFailed;
  try {
    code = run(rank, argc, argv);
  } catch (const std::exception& error) {
    complain(fmt::format("{}: {}; nobody waits for it", rank.name(), error.what()));
    MPI_Abort(MPI_COMM_WORLD, kFailed);
  }
  wait_for_all();
  MPI_Finalize();
  // mpirun would complain of every rank that ends with another status than 0.
  return rank.index == 0 ? code : 0;
}
