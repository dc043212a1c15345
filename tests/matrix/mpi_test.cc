#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// The real mpirun with ranks on this machine.
class Mpi : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(program_)) GTEST_SKIP() << "there was no MPI when this was built";
    if (std::system("mpirun --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "there is no mpirun";
    std::ofstream(dir_ / "short.yaml")
        << "schema: 1\nname: short\ndescription: short\nduration_s: 2\napps:\n"
           "  - {name: camera, profile: dynamic_cnn, arrival: {kind: periodic, period_x: 2}, "
           "work_cv: 0.2, deadline_x: 2}\n";
  }
  std::string command(int ranks, const std::string& arguments) const {
    return "mpirun --oversubscribe --allow-run-as-root -n " + std::to_string(ranks) + " " +
           program_ + " " + arguments;
  }
  std::string compared(const std::string& more, int seeds = 5) const {
    return "compare --platform odroid_xu3 --scenario " + (dir_ / "short.yaml") +
           " --policies performance,rule --seeds " + std::to_string(seeds) + " " + more;
  }
  Finished shell(const std::string& line) const {
    const std::string out = dir_ / "out", err = dir_ / "err";
    const int status = std::system((line + " >" + out + " 2>" + err).c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_text(out), read_text(err)};
  }
  std::string alone(const std::string& arguments) const {
    return shell(std::string(FLYBALL_BIN_DIR) + "/flyball " + arguments).out;
  }

  TempDir dir_;
  std::string program_ = std::string(FLYBALL_BIN_DIR) + "/flyball-mpi";
};

TEST_F(Mpi, RanksTogetherAreTheWholeByteForByte) {
  const std::string whole = alone(compared("--json --no-times"));
  ASSERT_NE(whole, "");
  for (const int ranks : {2, 4}) {
    const Finished finished = shell(command(ranks, compared("--json")));
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    EXPECT_EQ(finished.out, whole) << ranks;
  }
}

TEST_F(Mpi, WhatIsWrongIsSaidOnce) {
  const Finished finished =
      shell(command(2, "compare --platform odroid_xu3 --scenario none --policies rule"));
  EXPECT_NE(finished.exit_code, 0);
  EXPECT_THAT(finished.err, HasSubstr("flyball-mpi: scenario 'none'"));
  EXPECT_EQ(finished.err.find("scenario 'none'"), finished.err.rfind("scenario 'none'"));
  EXPECT_THAT(shell(command(2, compared("--shard 1/2"))).err,
              HasSubstr("the ranks are the shards"));
}

/// Ends the part of the second rank once it has done a seed.
constexpr const char* kKiller =
    "(until [ \"$(cat %/shard-2-of-2 2>/dev/null | wc -l)\" -ge 3 ]; do sleep 0.01; done; "
    "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | "
    "grep -q -- '[f]lyball compare.*--shard 2/2 --resume %/' && kill -9 ${p#/proc/}; done) & ";

TEST_F(Mpi, ADeadPartIsNamedAndRunAgain) {
  const std::string state = dir_ / "state", arguments = compared("--json --state " + state, 60);
  std::string killer = kKiller;
  for (std::size_t at = 0; (at = killer.find('%')) != killer.npos;) killer.replace(at, 1, state);
  const Finished died = shell("{ " + killer + command(2, arguments) + "; }");
  EXPECT_NE(died.exit_code, 0);
  EXPECT_EQ(died.out, "");
  EXPECT_THAT(died.err, AllOf(HasSubstr("rank 1 on "),
                              HasSubstr("shard 2/2 is missing: it was killed by signal 9")));
  const Finished again = shell(command(2, arguments));
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.out, alone(compared("--json --no-times", 60)));
}

TEST_F(Mpi, TheBestOfTheRanksTrainingsIsKept) {
  const std::string out = dir_ / "best.policy";
  const Finished finished =
      shell(command(2, "train --platform odroid_xu3 --scenario " + (dir_ / "short.yaml") +
                           " --episodes 2 --out " + out));
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("of 2 trainings that of rank "));
  EXPECT_NE(alone(compared("--json --policies mine=" + out, 1)), "");
}

}  // namespace
}  // namespace flyball::testing
