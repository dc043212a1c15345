#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agents/policy_file.h"
#include "governor/mpi/ranks.h"
#include "kernels/base/atomic_file.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"

namespace flyball::mpi {
namespace {

constexpr std::pair<const char*, std::uint64_t> kCounts[] = {{"--episodes", 200},
                                                             {"--lanes", 2}};  // otherwise

std::uint64_t number_of(const Words& words, const std::string& option, std::uint64_t otherwise) {
  Words copy = words;
  const std::string text = take_value(copy, option);
  std::uint64_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Index of the file whose policy is paid best on seeds that none was trained with; -1: it could not be told.
int best_of(const Rank& rank, const Words& words, const std::vector<std::string>& files,
            std::uint64_t first_seed) {
  if (files.size() == 1) return 0;
  Words copy = words;
  Words judge = {"compare", "--json", "--seeds", "10", "--seed", std::to_string(first_seed)};
  for (const char* option : {"--platform", "--scenario", "--profile", "--belief"}) {
    if (const std::string value = take_value(copy, option); !value.empty()) {
      judge.push_back(option);
      judge.push_back(value);
    }
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    judge.push_back("--policies");
    judge.push_back(fmt::format("rank{}={}", i, files[i]));
  }
  judge.insert(judge.end(), {"--threads", std::to_string(threads_of(rank) * rank.on_this_host)});
  std::string out;
  if (!run_flyball(judge, out).good()) return -1;
  const auto json = nlohmann::json::parse(out, nullptr, false);
  if (!json.is_object()) return -1;
  int best = -1;
  double most = -INFINITY;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& reward = json.at("policies").at(i).at("reward").at("mean");
    if (reward.is_null() || !(reward.get<double>() > most)) continue;
    most = reward.get<double>();
    best = static_cast<int>(i);
  }
  return best;
}

/// Before the training, not after it.
int checked(const Rank& rank, const std::string& out) {
  int code = 0;
  if (rank.index == 0) {
    try {
      if (out.empty()) input_error("--out", "is missing", "name the policy file to write");
      if (out == "-")
        input_error("--out -", "what is learned is no text for standard output", "name a file");
      check_output("--out " + out, out, kPolicyOutput);
    } catch (const Error& error) {
      complain(error.what());
      code = error.kind() == Error::Kind::kInput ? kWrongUse : kFailed;
    }
  }
  return agree(rank, code);
}

}  // namespace

int train(const Rank& rank, Words words) {
  const std::string out = take_value(words, "--out");
  if (const int code = checked(rank, out); code != 0) return code;
  const std::uint64_t first_seed = number_of(words, "--seed", 1);
  // As many as a rank's learners draw: none plays what another has, or what all are judged by.
  std::uint64_t seeds = 1;
  for (const auto& [option, otherwise] : kCounts) {
    const std::uint64_t count = number_of(words, option, otherwise);
    seeds *= count;
    // Said in any case: it must be what seeds are counted by.
    Words copy = words;
    if (take_value(copy, option).empty())
      words.insert(words.end(), {option, std::to_string(count)});
  }
  Words mine = {"train"};
  Words others = words;
  take_value(others, "--seed");
  mine.insert(mine.end(), others.begin(), others.end());
  const std::string folder = folder_for("");
  const std::string file = folder + "/learned.policy";
  const std::uint64_t of_rank = first_seed + static_cast<std::uint64_t>(rank.index) * seeds;
  mine.insert(mine.end(), {"--seed", std::to_string(of_rank), "--out", file});
  const ChildEnd end = run_flyball(mine, true);
  const std::vector<Told> all =
      gather(rank, {rank.name(), problem_of(end), end.good() ? bytes_of(file) : "", end.exit_code});
  int code = 0;
  if (rank.index == 0) {
    code = judge(
        all, [&](int i) { return fmt::format("training {} of {}", i + 1, rank.count); },
        fmt::format("run it again; '{}' was not touched", out));
    std::vector<std::string> files;
    for (std::size_t i = 0; i < all.size() && code == 0; ++i) {
      files.push_back(fmt::format("{}/rank{}.policy", folder, i));
      std::ofstream(files.back(), std::ios::binary) << all[i].bytes;
    }
    const int best = code != 0
                         ? -1
                         : best_of(rank, words, files,
                                   first_seed + static_cast<std::uint64_t>(rank.count) * seeds);
    if (code == 0 && best < 0) {
      complain("the trained policies could not be compared; run it again");
      code = kFailed;
    }
    if (best >= 0) {
      try {
        write_file_atomically(out, all[static_cast<std::size_t>(best)].bytes);
        fmt::print("wrote {}: of {} trainings that of rank {}, paid best on seeds from {}\n", out,
                   rank.count, best, first_seed + static_cast<std::uint64_t>(rank.count) * seeds);
      } catch (const Error& error) {
        complain(error.what());
        code = kFailed;
      }
    }
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return code;
}

}  // namespace flyball::mpi
