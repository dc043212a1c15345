#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace flyball {

/// A bandit's problem whose answer is known: every way of doing something, with what it was measured to
/// cost. No platform and no time is in it.
struct BanditTable {
  struct Row {
    std::vector<double> knob;
    double cost = 0;
  };
  std::string path;
  std::vector<std::string>
      knobs;         ///< the columns before the last; the first is what `ucb` pools by
  std::string cost;  ///< the last one, of what is to be least, above 0
  std::vector<Row> rows;
  double least() const;
  double mean() const;
};
inline constexpr int kMaxBanditKnobs = 4;
inline constexpr int kMaxBanditRows = 100'000;

/// A CSV file: a line that names the columns, lines that begin with # are comments. Throws Error
/// (kInput) with file and line.
BanditTable read_bandit_table(const std::string& path);

struct BanditOptions {
  std::vector<std::string> agents;
  int pulls = 100;
  int seeds = 100;
  std::uint64_t first_seed = 1;
  double noise_pct = 1;  ///< of a pull, one standard deviation
  const std::atomic<bool>* stop = nullptr;
  std::function<void(double done)> progress;
  unsigned threads = 2;
};

/// What an agent did in one seed.
struct BanditRow {
  std::string agent;
  std::uint64_t seed = 0;
  double regret = 0;          ///< cost above the best row's, summed over the pulls
  double uniform_regret = 0;  ///< expected of whoever pulls each row as likely
  double final_pick_pct = 0;  ///< true cost of the row chosen in the end above the best one's
};

/// Lets learners of arms (agents/arm_learner.h) loose on a table. Arms are rows; what is linear is the
/// logarithm of their cost, in the knobs, their squares and products. The surface tells where to
/// look, and not which of neighbours is the best by a hair: a row that was pulled is known, so of
/// those only the best one so far stays in the game, which is the final pick in the end. The first pull
/// is any row. By agent, then by seed; stopped, those that were played by then.
std::vector<BanditRow> play_bandit(const BanditTable& table, const BanditOptions& options);

}  // namespace flyball
