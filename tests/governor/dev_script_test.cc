// The script of the two commands, with stand-ins for all that it starts: what it does first, what it
// leaves alone, and where its talk goes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

/// A copy of the script in a folder where packages, CMake and the program are scripts that say what
/// they were asked, on standard output, and remember it.
class Dev {
 public:
  Dev() {
    fs::copy_file(fs::path(FLYBALL_SOURCE_DIR) / "dev", dir_ / "dev");
    // A copy, so that nothing that a test writes there is the source's.
    for (const char* kind : {"platforms", "scenarios"}) {
      fs::create_directories(dir_ / ("configs/" + std::string(kind)));
      fs::copy(fs::path(FLYBALL_SOURCE_DIR) / "configs" / kind,
               dir_ / ("configs/" + std::string(kind)));
    }
    stand_in("tools/dpkg", "echo amd64");
    stand_in("tools/dpkg-query", "echo installed amd64; echo installed arm64");
    for (const char* tool : {"apt-get", "cmake", "ctest"})
      stand_in(std::string("tools/") + tool, "");
    stand_in("build/release/bin/flyball", "case \"$*\" in *soon*) exit 2 ;; esac");
  }
  Finished run(const std::string& arguments, const std::string& environment = "") {
    const std::string command = "cd " + dir_.path().string() + " && PATH=" + (dir_ / "tools") +
                                ":/usr/bin:/bin HOME=" + home() + " " + environment + " ./dev " +
                                arguments + " >out 2>err </dev/null";
    const int status = std::system(command.c_str());
    return {WEXITSTATUS(status), read_text(dir_ / "out"), read_text(dir_ / "err")};
  }
  /// What was started, a line each, and forgotten with this.
  std::string started() {
    const std::string text = read_text(dir_ / "started");
    fs::remove(dir_ / "started");
    return text;
  }
  /// A program that says what it is asked, then does this.
  void stand_in(const std::string& name, const std::string& body) {
    const fs::path path = dir_ / name;
    fs::create_directories(path.parent_path());
    const std::string asked = path.filename().string() + " $*";
    std::ofstream(path) << "#!/bin/sh\n"
                        << (name.find("dpkg") == std::string::npos
                                ? "echo \"" + asked + "\" | tee -a " + (dir_ / "started") + "\n"
                                : "")
                        << body << "\n";
    fs::permissions(path, fs::perms::owner_all);
  }
  std::string home() const { return dir_ / "home"; }
  std::string operator/(const std::string& name) const { return dir_ / name; }

 private:
  TempDir dir_;
};

TEST(DevScript, RefusesWrongArgumentsBeforeAnyWork) {
  Dev dev;
  for (const char* arguments : {"run --duratoin 3",
                                "run now",
                                "run --duration",
                                "run --duration abc",
                                "run --compare-duration=0.1",
                                "run --seed -1",
                                "run --platform nope",
                                "run --belief /no/such.yaml",
                                "run --scenario /etc/passwd",
                                "run --scenario /tmp",
                                "run --policy nope",
                                "run --policy oracle",
                                "run --compare-with performance,nope",
                                "run --record /nodir/x",
                                "run --learn-to /tmp",
                                "run --csv /etc/passwd --record x",
                                "run --csv x",
                                "run --policy-file /no/such",
                                "run --from /no/such",
                                "run --profile /no/such",
                                "run --record ''",
                                "test --ouput-on-failure",
                                "test tasn",
                                "test -R",
                                "build tasn",
                                "build release debug",
                                "bench grouped",
                                "evaluate all",
                                "evaluate --qiuck",
                                "bench --benchmark_filtre=x",
                                "fuzz now",
                                "fuzz 1 2",
                                "fuzz --runs",
                                "fuzz --runs ten",
                                "fuzz channle",
                                "soak 100 channel",
                                "soak week",
                                "format all",
                                "clean everything",
                                "help me",
                                "tset"}) {
    const Finished finished = dev.run(arguments);
    EXPECT_EQ(finished.exit_code, 2) << arguments;
    EXPECT_EQ(finished.out, "") << arguments;
    EXPECT_THAT(finished.err, HasSubstr("dev: ")) << arguments;
    EXPECT_EQ(dev.started(), "") << arguments;
  }
  EXPECT_TRUE(fs::exists(dev / "build")) << "'clean everything' cleaned";
}

TEST(DevScript, HelpOfEveryVerbDoesNothingElse) {
  Dev dev;
  for (const std::string verb : {"run", "test", "guest", "build", "evaluate", "policies", "bench",
                                 "fuzz", "soak", "format", "clean"}) {
    const Finished finished = dev.run(verb + " --help");
    EXPECT_EQ(finished.exit_code, 0) << verb;
    EXPECT_THAT(finished.out, HasSubstr("usage: ./dev VERB")) << verb;
    EXPECT_EQ(finished.err, "") << verb;
    EXPECT_EQ(dev.started(), "") << verb;
  }
}

TEST(DevScript, OnlyTheResultIsOnStandardOutput) {
  Dev dev;
  const Finished finished = dev.run("run --json --duration 3");
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(finished.out, "flyball run --json --duration 3\n");
  EXPECT_THAT(finished.err, AllOf(HasSubstr("cmake --build"), HasSubstr("flyball profile"),
                                  HasSubstr("flyball train"), Not(HasSubstr("\033"))));
}

// What only the program can tell is asked before the machine is measured and a policy is trained.
TEST(DevScript, AsksTheProgramBeforeProfilingAndTraining) {
  Dev dev;
  std::ofstream(dev / "soon.yaml") << "schema: 1\n";
  EXPECT_EQ(dev.run("run --scenario soon.yaml").exit_code, 2);
  EXPECT_THAT(dev.started(), AllOf(HasSubstr("flyball run --check --scenario soon.yaml"),
                                   Not(HasSubstr("profile")), Not(HasSubstr("train"))));
}

TEST(DevScript, TestsTakeOptionsOfCTestWithTheirValues) {
  Dev dev;
  EXPECT_EQ(dev.run("test debug -R Reward -j2 --timeout=9").exit_code, 0);
  EXPECT_THAT(dev.started(), HasSubstr("ctest --preset debug -R Reward -j2 --timeout=9\n"));
}

TEST(DevScript, AMovedTreeIsConfiguredAfresh) {
  Dev dev;
  std::ofstream(dev / "build/release/CMakeCache.txt")
      << "CMAKE_HOME_DIRECTORY:INTERNAL=/somewhere/else\n";
  const Finished moved = dev.run("build");
  EXPECT_EQ(moved.exit_code, 0) << moved.err;
  EXPECT_THAT(moved.err, HasSubstr("build/release was made for the sources in /somewhere/else"));
  EXPECT_THAT(dev.started(), HasSubstr("cmake --preset release --fresh\n"));
  std::ofstream(dev / "build/release/CMakeCache.txt")
      << "CMAKE_HOME_DIRECTORY:INTERNAL=" << (dev / "") << "\n";
  EXPECT_EQ(dev.run("build").exit_code, 0);
  EXPECT_THAT(dev.started(), HasSubstr("cmake --preset release\n"));
}

TEST(DevScript, WithoutAPlaceForWhatIsLearnedTheBuildKeepsIt) {
  Dev dev;
  const Finished finished = dev.run("run", "HOME= XDG_STATE_HOME=");
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("using build/state"));
  EXPECT_TRUE(fs::is_directory(dev / "build/state/flyball/policies"));
}

/// Stand-ins for the fuzz targets, of which one may end as a crash does.
void fuzz_targets(Dev& dev, const std::string& crashing = "") {
  for (const std::string format :
       {"policy", "network", "recording", "profile", "platform", "scenario", "channel"}) {
    dev.stand_in(
        "build/fuzz/bin/fuzz_" + format,
        "echo stat::number_of_executed_units: 4711" +
            std::string(format == crashing ? "\necho heap-buffer-overflow >&2\nexit 77" : ""));
  }
}

TEST(DevScript, FuzzSaysWhatItDid) {
  Dev dev;
  fuzz_targets(dev);
  const Finished finished = dev.run("fuzz 1");
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out,
              AllOf(ContainsRegex("policy +4711 runs +. inputs  no crash\n"),
                    ContainsRegex("scenario +4711 runs +[0-9]+ inputs  no crash\n"),
                    HasSubstr("budget: 5 s for each format of a file"), Not(HasSubstr("CRASH"))));
  EXPECT_THAT(dev.started(), HasSubstr("fuzz_platform -max_total_time=5 "));
}

TEST(DevScript, FuzzTakesANumberOfInputsAndFormats) {
  Dev dev;
  fuzz_targets(dev);
  const Finished finished = dev.run("fuzz --runs 10000000 channel");
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, ContainsRegex("^channel +4711 runs +[0-9]+ inputs  no crash\n$"));
  EXPECT_THAT(dev.started(),
              AllOf(HasSubstr("fuzz_channel -runs=10000000 "), Not(HasSubstr("fuzz_policy")),
                    Not(HasSubstr("max_total_time"))));
}

TEST(DevScript, ASoakIsAWeekOfSessions) {
  Dev dev;
  dev.stand_in("build/release/bin/channel_test", "echo $FLYBALL_SOAK_SESSIONS sessions");
  EXPECT_THAT(dev.run("soak").out, HasSubstr("\n10080 sessions\n"));
  EXPECT_THAT(dev.run("soak 128").out, HasSubstr("\n128 sessions\n"));
}

TEST(DevScript, ACrashUnderFuzzFailsOnceAllFormatsHadTheirTurn) {
  Dev dev;
  fuzz_targets(dev, "recording");
  const Finished finished = dev.run("fuzz 1");
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.out,
              AllOf(ContainsRegex("recording +4711 .*CRASH, see build/fuzz/recording.log\n"),
                    ContainsRegex("network +4711 .*no crash\n"),
                    ContainsRegex("scenario +4711 .*no crash\n")));
  EXPECT_THAT(finished.err, AllOf(HasSubstr("heap-buffer-overflow"),
                                  HasSubstr("the files are in build/fuzz/crashes/")));
  EXPECT_THAT(
      dev.started(),
      HasSubstr("-artifact_prefix=build/fuzz/crashes/recording- build/fuzz/corpus/recording"));
}

std::set<std::string> options_in(const std::string& help, const std::regex& option) {
  std::set<std::string> options;
  for (std::sregex_iterator each(help.begin(), help.end(), option), end; each != end; ++each) {
    const bool takes_value = (*each)[2].matched && (*each)[2].length() > 0;
    options.insert((*each)[1].str() + (takes_value ? "=" : ""));
  }
  options.erase("--help");
  return options;
}

TEST(DevScript, KnowsTheProgramsOptions) {
  Dev dev;
  const std::set<std::string> of_script =
      options_in(dev.run("run --help").out, std::regex("\n  (--[a-z-]+)(=?)"));
  const std::set<std::string> of_program = options_in(
      flyball_run({"run", "--help"}).out, std::regex("\n  (?:-h,)?(--[a-z-]+)( [A-Z])?"));
  EXPECT_GT(of_program.size(), 10u);
  EXPECT_EQ(of_script, of_program);
}

// And the policies that can run: what knows the future cannot.
TEST(DevScript, KnowsTheProgramsPolicies) {
  std::string text = read_text(fs::path(FLYBALL_SOURCE_DIR) / "dev");
  const std::size_t begin = text.find("policies=\"") + 10;
  std::istringstream words(text.substr(begin, text.find('"', begin) - begin));
  std::set<std::string> of_script, of_program;
  for (std::string word; words >> word;) of_script.insert(word);
  const auto all = nlohmann::json::parse(flyball_run({"list", "policies", "--json"}).out);
  for (const auto& policy : all.at("policies")) {
    const std::string name = policy.at("name");
    if (name != "oracle") of_program.insert(name);
  }
  EXPECT_EQ(of_script, of_program);
}

// What 'flyball run' takes is not refused by the script, however it is written.
TEST(DevScript, TakesWhatTheProgramTakes) {
  Dev dev;
  std::ofstream(dev / "mine.policy") << "x";
  for (const std::string arguments :
       {"--duration .5 --compare-duration=1e1 --seed 7", "--platform jetson_nano --belief host",
        "--scenario configs/scenarios/bursty.yaml --plain", "--profile none --no-learn",
        "--compare-with 'rule,static_best:A15=1,A7=2;camera=A7x4@25,userspace:1400000'",
        "--policy-file mine.policy --learn-to learned.policy", "--record x.flyrec --csv=csv"}) {
    const Finished finished = dev.run("run " + arguments);
    EXPECT_EQ(finished.exit_code, 0) << arguments << ": " << finished.err;
  }
}

TEST(DevScript, OnLinuxNothingIsMeasuredOrTrained) {
  Dev dev;
  const Finished finished = dev.run("run --platform linux --actuator bounds --dry-run");
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(dev.started(),
              AllOf(HasSubstr("flyball-supervisor"),
                    HasSubstr("flyball run --platform linux --actuator bounds --dry-run"),
                    Not(HasSubstr("profile")), Not(HasSubstr("train"))));
  EXPECT_EQ(dev.run("run --belief linux").exit_code, 2);
}

}  // namespace
}  // namespace flyball::testing
