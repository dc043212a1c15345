#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "governor/mpi/ranks.h"

namespace flyball::mpi {
namespace {

/// Those that say how the result is printed, for `merge`.
Words take_output_options(Words& words) {
  Words output, rest;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string name = words[i].substr(0, words[i].find('='));
    const bool flag = name == "--json" || name == "--markdown" || name == "--csv";
    const bool valued = name == "--require" || name == "--columns";
    (flag || valued ? output : rest).push_back(words[i]);
    const bool has_value =
        name == words[i] && i + 1 < words.size() &&
        (valued || (name == "--csv" && (words[i + 1] == "-" || !words[i + 1].starts_with("-"))));
    if (has_value) output.push_back(words[++i]);
  }
  words = rest;
  return output;
}

/// How what was found is to be printed is said to `merge`, once all is done: too late for a typo.
int checked(const Rank& rank, const Words& words) {
  int code = 0;
  if (rank.index == 0) {
    Words check = {"compare", "--check"};
    check.insert(check.end(), words.begin(), words.end());
    const ChildEnd end = run_flyball(check, true);
    code = judge(
        {{rank.name(), problem_of(end), "", end.exit_code}},
        [](int) { return std::string("the check of what was asked for"); }, "run it again");
  }
  return agree(rank, code);
}

}  // namespace

int compare(const Rank& rank, Words words) {
  const std::string state = take_value(words, "--state");
  for (const std::string& word : words) {
    for (const char* own : {"--shard", "--resume"}) {
      if (word.substr(0, word.find('=')) != own) continue;
      if (rank.index == 0)
        complain(fmt::format("{}: the ranks are the shards; leave it out, or use --state", own));
      return kWrongUse;
    }
  }
  if (const int code = checked(rank, words); code != 0) return code;
  const Words output = take_output_options(words);
  const std::string folder = folder_for(state);
  const auto file_of = [&](int index) {
    return fmt::format("{}/shard-{}-of-{}", folder, index + 1, rank.count);
  };
  Words mine = {"compare"};
  mine.insert(mine.end(), words.begin(), words.end());
  for (const std::string& word :
       {std::string("--shard"), fmt::format("{}/{}", rank.index + 1, rank.count),
        std::string("--resume"), file_of(rank.index), std::string("--threads"),
        std::to_string(threads_of(rank))})
    mine.push_back(word);
  const ChildEnd end = run_flyball(mine, true);
  const Told told{rank.name(), problem_of(end), end.good() ? bytes_of(file_of(rank.index)) : "",
                  end.exit_code};
  const std::vector<Told> all = gather(rank, told);
  int code = 0;
  bool keeps = false;
  if (rank.index == 0) {
    code = judge(
        all, [&](int i) { return fmt::format("shard {}/{}", i + 1, rank.count); },
        state.empty()
            ? fmt::format("with '--state {}' the same command runs only what is missing", folder)
            : "the same command again runs only what is missing");
    // Folders of other hosts are their own.
    Words merge = {"merge"};
    for (std::size_t i = 0; i < all.size(); ++i) {
      merge.push_back(file_of(static_cast<int>(i)));
      if (all[i].problem.empty()) std::ofstream(merge.back(), std::ios::binary) << all[i].bytes;
    }
    merge.insert(merge.end(), output.begin(), output.end());
    if (code == 0) {
      code = run_flyball(merge, false).exit_code;
      if (code != 0) {
        keeps = true;
        complain(
            fmt::format("the shards are kept in {}; 'flyball merge {}/shard-*-of-{}' prints them",
                        folder, folder, rank.count));
      }
    }
    keeps = keeps || code == kFailed;
  }
  if (state.empty() && !keeps) {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  return code;
}

}  // namespace flyball::mpi
