// What the README tells a programmer to type, typed as it stands: its blocks in their order, against the
// real `flyball run` on emulated clocks.

#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "tests/channel/channel_fixture.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

struct Block {
  std::string language, text;
};

/// Those of the section between two headings.
std::vector<Block> blocks_between(const std::string& begin, const std::string& end) {
  const std::string readme = read_text(FLYBALL_SOURCE_DIR "/README.md");
  const std::size_t from = readme.find("\n" + begin + "\n");
  EXPECT_NE(from, std::string::npos) << begin;
  std::istringstream lines(readme.substr(from, readme.find("\n" + end + "\n", from) - from));
  std::vector<Block> blocks;
  bool within = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      within = !within;
      if (within) blocks.push_back({line.substr(3), ""});
    } else if (within) {
      blocks.back().text += line + "\n";
    }
  }
  return blocks;
}

bool works(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

/// A folder that looks like the sources with a build of release in them, on a machine where no other
/// flyball runs.
class AsTyped : public ::testing::Test {
 protected:
  void SetUp() override {
#ifdef FLYBALL_SANITIZED
    GTEST_SKIP() << "a sanitizer's library loads into nothing else";
#endif
    if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "the program runs only in an emulator";
    if (!works("bash --version")) GTEST_SKIP() << "there is no bash";
    // The default folder of root's governor is one for the whole machine.
    const std::string alone = " sh -c 'mount -t tmpfs none /run'";
    if (works("unshare -m" + alone)) {
      unshare_ = "unshare -m";
    } else if (works("unshare -Urm" + alone)) {
      unshare_ = "unshare -Urm";
    } else if (std::filesystem::exists("/run/flyball/" FLY_SOCKET_NAME)) {
      GTEST_SKIP() << "a flyball runs here already, and a /run of its own is not to be had";
    }
    const std::filesystem::path bin = FLYBALL_BIN_DIR;
    std::filesystem::create_directories(dir_.path() + "/build");
    std::filesystem::create_directories(dir_.path() + "/run");
    std::filesystem::create_symlink(bin.parent_path(), dir_.path() + "/build/release");
    std::filesystem::create_symlink(bin / "flyball", dir_.path() + "/flyball");
    for (const char* name : {"governor", "configs"})
      std::filesystem::create_symlink(std::filesystem::path(FLYBALL_SOURCE_DIR) / name,
                                      dir_.path() + "/" + name);
  }
  /// Its exit code and outputs; what it started in the background ends with it.
  Finished type(const std::string& script) {
    std::ofstream(dir_.path() + "/script")
        << "trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n"
        << script;
    const std::string mounted =
        unshare_.empty() ? "bash -e script"
                         : unshare_ + " sh -c 'mount -t tmpfs none /run && exec bash -e script'";
    const std::string command =
        "cd " + dir_.path() +
        " && env -u FLYBALL_SOCKET -u FLYBALL_LIBRARY -u PYTHONPATH HOME=" + dir_.path() +
        " XDG_STATE_HOME=" + dir_.path() + "/state XDG_RUNTIME_DIR=" + dir_.path() +
        "/run PYTHONDONTWRITEBYTECODE=1 timeout 200 " + mounted + " >out 2>err";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            read_text(dir_.path() + "/out"), read_text(dir_.path() + "/err")};
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_.path() + "/" + name) << text;
  }

 private:
  SocketDir dir_;
  std::string unshare_;
};

TEST_F(AsTyped, ProgramsInCAndPythonJoinAndSeeWhatThatChanged) {
  if (!works("cc --version") || !works("python3 -c 0")) GTEST_SKIP() << "no cc, or no python3";
  std::string script;
  int files = 0;
  for (const Block& block :
       blocks_between("### For applications", "### An application to try it with: `infer`")) {
    if (block.language == "sh") {
      script += block.text;
      continue;
    }
    // Its first line says what it is called.
    std::smatch name;
    ASSERT_TRUE(std::regex_search(block.text, name, std::regex(R"(^(/\*|#) (\w+\.\w+))")))
        << block.text;
    write(name[2], block.text);
    ++files;
  }
  ASSERT_EQ(files, 2);
  const Finished typed = type(script);
  EXPECT_EQ(typed.exit_code, 0) << typed.out << typed.err;
  // What status says while the camera runs.
  EXPECT_THAT(typed.out, ContainsRegex("door_camera, process [0-9]+")) << typed.err;
  // And the camera, at its end.
  EXPECT_THAT(typed.out, ContainsRegex("latency [+-][0-9.]+ ms \\[")) << typed.err;
  std::smatch jobs;
  ASSERT_TRUE(std::regex_search(typed.out, jobs, std::regex("\\{'jobs': ([0-9]+),")))
      << typed.out << typed.err;
  EXPECT_GT(std::stoi(jobs[1]), 100);
  EXPECT_THAT(typed.out, ContainsRegex("'latency_ns': \\(")) << typed.out;
  EXPECT_THAT(typed.err, Not(HasSubstr("no governor at")));
}

TEST_F(AsTyped, InferRunsAloneAndUnderAGovernor) {
  const std::vector<Block> blocks =
      blocks_between("### An application to try it with: `infer`", "### Comparing policies");
  ASSERT_GE(blocks.size(), 2u);
  // A line is for one terminal, and one for another.
  std::smatch lines;
  ASSERT_TRUE(std::regex_search(blocks[0].text, lines, std::regex("^([^#]*)#.*\n([^#]*)#.*\n$")));
  const Finished both = type(lines[1].str() + " &\nuntil ./flyball status; do sleep 0.1; done\n" +
                             lines[2].str() + "\n");
  EXPECT_EQ(both.exit_code, 0) << both.out << both.err;
  const std::string command = lines[2].str() + " ";
  std::smatch jobs;
  ASSERT_TRUE(std::regex_search(command, jobs, std::regex("--jobs ([0-9]+) ")));
  std::smatch told;  // a busy machine may have had no time for some
  ASSERT_TRUE(std::regex_search(both.out, told,
                                std::regex("\n([0-9]+) jobs in [^\n;]*?(, ([0-9]+) dropped)?;")))
      << both.out;
  const int dropped = told[3].matched ? std::stoi(told[3]) : 0;
  EXPECT_EQ(std::stoi(told[1]) + dropped, std::stoi(jobs[1])) << told[0];
  EXPECT_THAT(both.out, ContainsRegex("A governor had [0-9]+ of them in hand"));

  // Alone it prints what stands there, but for what is measured.
  const auto without_numbers = [](const std::string& text) {
    return std::regex_replace(text, std::regex("[0-9.]+"), "N");
  };
  const Finished alone = type("./flyball infer --jobs 3");
  EXPECT_EQ(alone.exit_code, 0) << alone.err;
  for (const char* same : {"house", "tree", "fish", "No governor had it in hand."}) {
    EXPECT_THAT(alone.out, HasSubstr(same));
    EXPECT_THAT(blocks[1].text, HasSubstr(same));
  }
  const auto words_of = [&](std::string text) {
    text = text.substr(text.find("\n") + 1);  // the folder of the path is left out there
    return std::regex_replace(without_numbers(text), std::regex(" +"), " ");
  };
  EXPECT_EQ(words_of(alone.out), words_of(blocks[1].text));
}

}  // namespace
}  // namespace flyball::testing
