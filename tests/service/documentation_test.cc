// Man pages and completions say what the program itself says of its options.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "tests/service/installed_tree.h"

namespace flyball::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

std::string share(const std::string& name) { return build_dir() + "/share/" + name; }

struct HelpOf {
  std::vector<std::string> options, verbs;
};

/// By --help, which is CLI11's own.
HelpOf help_of(const std::string& verb) {
  std::vector<std::string> words;
  std::istringstream split(verb);
  for (std::string word; split >> word;) words.push_back(word);
  words.push_back("--help");
  const Finished told = flyball_run(words);
  EXPECT_EQ(told.exit_code, 0) << verb << told.err;
  HelpOf help;
  std::istringstream lines(told.out);
  bool verbs = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("Example") || line.starts_with("Each verb")) break;
    if (line == "Verbs:" || line == "Subcommands:") verbs = true;
    const std::regex option(R"(^  (-\w,)?(--[\w-]+|-\w))"), name(R"(^  ([a-z][\w-]*) )");
    std::smatch match;
    if (std::regex_search(line, match, option)) help.options.push_back(match[2]);
    if (verbs && std::regex_search(line, match, name)) help.verbs.push_back(match[1]);
  }
  return help;
}

bool is_of_torch(const std::string& verb) {
  return verb == "network train" || verb == "network dqn";
}

const std::vector<std::pair<std::string, HelpOf>>& all_help() {
  static const auto all = [] {
    std::vector<std::pair<std::string, HelpOf>> found = {{"", help_of("")}};
    for (std::size_t i = 0; i < found.size(); ++i) {
      const auto [verb, help] = found[i];
      for (const std::string& within : help.verbs) {
        const std::string name = verb.empty() ? within : verb + " " + within;
        // The options of some are those of another program, which they hand them to.
        found.emplace_back(name, is_of_torch(name) ? HelpOf() : help_of(name));
      }
    }
    return found;
  }();
  return all;
}

std::string with(std::string text, char from, char to) {
  std::replace(text.begin(), text.end(), from, to);
  return text;
}

std::string without_backslashes(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), '\\'), text.end());
  return text;
}

TEST(Documentation, EveryVerbAndOptionIsInTheManPages) {
  ASSERT_GT(all_help().size(), 25u);
  for (const auto& [verb, help] : all_help()) {
    const std::string name = verb.empty() ? "flyball" : "flyball-" + with(verb, ' ', '-');
    const std::string page = without_backslashes(read_text(share("man/man1/" + name + ".1")));
    EXPECT_FALSE(page.empty()) << name;
    EXPECT_EQ(help.options.empty(), is_of_torch(verb)) << name;
    for (const std::string& option : help.options)
      EXPECT_THAT(page, HasSubstr("fB" + option + "fR")) << name;
    for (const std::string& within : help.verbs)
      EXPECT_THAT(page, HasSubstr("fB" + within + "fR")) << name;
  }
}

TEST(Documentation, ManPagesAreWellFormed) {
  if (!has_program("groff")) GTEST_SKIP() << "no groff";
  const ShellResult formatted =
      shell("groff -man -w char -w font -w mac -w syntax -w missing -z -K utf8 -T utf8 " +
            share("man/man1/*.1"));
  EXPECT_EQ(formatted.exit_code, 0);
  EXPECT_EQ(formatted.said, "");
}

/// Whether a line holds the one and, behind it, the other: an option may have two names.
bool has_line(const std::string& text, const std::string& one, const std::string& other) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find(one);
    if (at != line.npos && line.find(other, at) != line.npos) return true;
  }
  return false;
}

TEST(Documentation, EveryVerbAndOptionIsInTheCompletions) {
  const std::string bash = read_text(share("bash-completion/completions/flyball"));
  const std::string zsh = read_text(share("zsh/site-functions/_flyball"));
  const std::string fish = read_text(share("fish/vendor_completions.d/flyball.fish"));
  for (const auto& [verb, help] : all_help()) {
    for (const std::string& option : help.options) {
      EXPECT_THAT(bash, HasSubstr(option + " ")) << verb;
      EXPECT_THAT(zsh, HasSubstr(")" + option)) << verb;
      const std::string flag =
          option.starts_with("--") ? " -l " + option.substr(2) : " -s " + option.substr(1);
      EXPECT_TRUE(has_line(fish, "'__flyball_at \\'" + verb + "\\''", flag + " ")) << verb << flag;
    }
    if (verb.empty()) continue;
    EXPECT_THAT(bash, HasSubstr(with(verb, ' ', '/')));
    EXPECT_THAT(zsh, HasSubstr("_flyball_" + with(verb, ' ', '_') + "() {"));
    EXPECT_THAT(fish, HasSubstr("'" + verb + "'"));
  }
  EXPECT_THAT(bash + zsh + fish, Not(HasSubstr("documentation")));  // the build's own verb
}

/// What bash offers at the end of these words.
std::vector<std::string> bash_offers(const std::string& words, const std::string& folder = "/") {
  const TempDir dir;
  // As readline fills it in: --option=VALUE is three words.
  std::ofstream(dir / "ask") << "cd " << folder << "\n. "
                             << share("bash-completion/completions/flyball") << "\nCOMP_WORDS=("
                             << words
                             << ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_flyball\n"
                                "printf '%s\\n' \"${COMPREPLY[@]}\"\n";
  std::istringstream lines(shell("bash " + (dir / "ask")).said);
  std::vector<std::string> offers;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) offers.push_back(line);
  }
  return offers;
}

TEST(Documentation, BashCompletes) {
  using ::testing::ElementsAre;
  using ::testing::UnorderedElementsAre;
  EXPECT_THAT(bash_offers("flyball sh"), ElementsAre("shadow"));
  EXPECT_THAT(bash_offers("flyball network ''"),
              UnorderedElementsAre("show", "verify", "bench", "train", "dqn"));
  EXPECT_THAT(bash_offers("flyball run --metrics-"),
              UnorderedElementsAre("--metrics-file", "--metrics-socket"));
  EXPECT_THAT(bash_offers("flyball network show --metrics-"), ElementsAre());
  EXPECT_THAT(bash_offers("flyball run --platform zyn"), ElementsAre("zynq_ultrascale"));
  EXPECT_THAT(bash_offers("flyball run --platform = zyn"), ElementsAre("zynq_ultrascale"));
  EXPECT_THAT(bash_offers("flyball run --platform ="), Contains("linux"));
  EXPECT_THAT(bash_offers("flyball compare --policies schedutil,q_le"),
              ElementsAre("schedutil,q_learning"));
  EXPECT_THAT(bash_offers("flyball set pre"), ElementsAre("preference"));
  EXPECT_THAT(bash_offers("flyball run --seed ''"), ElementsAre());
  const TempDir files;
  std::ofstream(files / "a policy") << "x";
  EXPECT_THAT(bash_offers("flyball run --policy-file 'a '", files.path().string()),
              ElementsAre("a policy"));
}

TEST(Documentation, ZshReadsIt) {
  if (!has_program("zsh")) GTEST_SKIP() << "no zsh";
  // The functions with a stand-in that shows what zsh is told of each option.
  const ShellResult told =
      shell("zsh -fc '_arguments() { print -rl -- \"$@\" }; _describe() { : }; fpath=(" +
            share("zsh/site-functions") +
            " $fpath); autoload -U _flyball; _flyball >/dev/null; "
            "_flyball_run; _flyball_network_show'");
  EXPECT_EQ(told.exit_code, 0) << told.said;
  EXPECT_THAT(told.said,
              HasSubstr("(--dry-run)--dry-run[On linux, decide and show, and write nothing]"))
      << told.said;
}

TEST(Documentation, FishCompletes) {
  if (!has_program("fish")) GTEST_SKIP() << "no fish";
  const TempDir home;
  const auto offers = [&](const std::string& line) {
    return shell("HOME=" + home.path().string() + " fish --no-config -c 'source " +
                 share("fish/vendor_completions.d/flyball.fish") + "; complete -C \"" + line +
                 "\"'")
        .said;
  };
  EXPECT_THAT(offers("flyball shad"), HasSubstr("shadow\t"));
  EXPECT_THAT(offers("flyball run --metrics-f"), HasSubstr("--metrics-file\t"));
  EXPECT_EQ(offers("flyball network show --metrics-f"), "");
  EXPECT_THAT(offers("flyball run --platform odr"), HasSubstr("odroid_xu3"));
}

}  // namespace
}  // namespace flyball::testing
