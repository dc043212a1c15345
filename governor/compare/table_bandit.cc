#include "governor/compare/table_bandit.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <memory>

#include "agents/job_bandit.h"
#include "governor/compare/parallel.h"
#include "kernels/base/control_character.h"
#include "kernels/base/det_math.h"
#include "kernels/base/error.h"
#include "kernels/base/random.h"
#include "kernels/base/read_file.h"

namespace flyball {
namespace {

constexpr std::size_t kMaxBytes = 8 << 20;
constexpr std::uint64_t kTableStream = 0x7461626c;
// What is expected of a logarithm of a cost before anything is known: it rises or falls by a factor of
// 2.7 or so from the middle to the end of a knob, and is bent by half of that.
constexpr double kLogSpan = 8;
constexpr double kLinear = 1, kSquare = 0.5, kProduct = 0.3, kMisfit = 0.1;

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  for (;;) {
    const std::size_t end = std::min(line.find(','), line.size());
    cells.push_back(line.substr(0, end));
    if (end == line.size()) return cells;
    line.remove_prefix(end + 1);
  }
}

/// Every knob from -1 to 1, in factors where it spans more than kLogSpan.
std::vector<Arm> arms_of(const BanditTable& table) {
  std::vector<Arm> arms(table.rows.size());
  const std::size_t knobs = table.knobs.size();
  std::vector<std::vector<double>> place(knobs, std::vector<double>(arms.size()));
  for (std::size_t k = 0; k < knobs; ++k) {
    std::map<double, unsigned> values;
    for (const BanditTable::Row& row : table.rows) values[row.knob[k]] = 0;
    const bool log =
        values.begin()->first > 0 && values.rbegin()->first >= kLogSpan * values.begin()->first;
    const auto scaled = [log](double value) { return log ? det_log(value) : value; };
    const double low = scaled(values.begin()->first), high = scaled(values.rbegin()->first);
    unsigned index = 0;
    for (auto& [value, at] : values) at = index++;
    for (std::size_t i = 0; i < arms.size(); ++i) {
      const double value = table.rows[i].knob[k];
      if (k == 0) {
        const auto groups = static_cast<unsigned>(values.size());
        arms[i].units = values[value] * std::min(groups, 1u << kMaxClusters) / groups;
      }
      place[k][i] = high > low ? 2 * (scaled(value) - low) / (high - low) - 1 : 0;
    }
  }
  for (std::size_t i = 0; i < arms.size(); ++i) {
    Arm& arm = arms[i];
    arm.mapping = static_cast<int>(i);
    arm.believed = 1;  // nothing is: a scale for what is relative to it
    std::size_t n = 0;
    arm.x[n++] = kLinear;
    for (std::size_t k = 0; k < knobs; ++k) {
      arm.x[n++] = kLinear * place[k][i];
      arm.x[n++] = kSquare * place[k][i] * place[k][i];
      for (std::size_t j = 0; j < k; ++j) arm.x[n++] = kProduct * place[k][i] * place[j][i];
    }
  }
  return arms;
}

int features_of(const BanditTable& table) {
  const int knobs = static_cast<int>(table.knobs.size());
  return 1 + 2 * knobs + knobs * (knobs - 1) / 2;
}

BanditRow play(const BanditTable& table, std::vector<Arm> game, const std::string& agent,
               std::uint64_t seed, int pulls, double noise) {
  LinearPrior prior;
  prior.own = features_of(table);
  prior.noise = std::max(kMisfit, noise);
  const auto learner = make_arm_learner(agent, prior, static_cast<int>(game.size()));
  Random random(seed, kTableStream);
  std::vector<double> chance(game.size());
  BanditRow result{agent, seed, 0, pulls * (table.mean() - table.least()), 0};
  double first = 0, least = std::numeric_limits<double>::max();
  int best = -1;  // row of the least cost that was seen
  for (int t = 0; t < pulls; ++t) {
    const ArmState state{.jobs = static_cast<std::uint64_t>(t)};
    std::size_t at = random.below(static_cast<std::uint32_t>(game.size()));
    if (t > 0) {
      int greedy = 0;
      double expected = std::numeric_limits<double>::max();
      for (std::size_t i = 0; i < game.size(); ++i) {
        const double cost = learner->cost(state, game[i]);
        if (cost < expected) expected = cost, greedy = static_cast<int>(i);
      }
      const std::span room = std::span(chance).first(game.size());
      std::fill(room.begin(), room.end(), 0.0);
      at = static_cast<std::size_t>(learner->choose(state, game, greedy, random, room).arm);
    }
    const Arm arm = game[at];
    const double cost = table.rows[static_cast<std::size_t>(arm.mapping)].cost;
    result.regret += cost - table.least();
    const double seen = cost * std::max(0.01, 1 + noise * random.normal());
    if (t == 0) first = det_log(seen) - 1;  // a scale: `ucb` has 1 for what is believed
    learner->learn({.state = state,
                    .arm = arm,
                    .cost = det_log(seen) - first,
                    .next_state = state,
                    .next = arm,
                    .best_next = arm});
    if (arm.mapping == best) continue;
    const int out = seen < least ? best : arm.mapping;
    if (seen < least) least = seen, best = arm.mapping;
    const auto gone = std::find_if(game.begin(), game.end(),
                                   [out](const Arm& each) { return each.mapping == out; });
    if (gone != game.end() && game.size() > 1) {
      *gone = game.back();
      game.pop_back();
    }
  }
  result.final_pick_pct =
      100 * (table.rows[static_cast<std::size_t>(best)].cost / table.least() - 1);
  return result;
}

}  // namespace

double BanditTable::least() const {
  return std::min_element(rows.begin(), rows.end(),
                          [](const Row& a, const Row& b) { return a.cost < b.cost; })
      ->cost;
}

double BanditTable::mean() const {
  double sum = 0;
  for (const Row& row : rows) sum += row.cost;
  return sum / static_cast<double>(rows.size());
}

BanditTable read_bandit_table(const std::string& path) {
  const std::string bytes = read_file(path, kMaxBytes);
  BanditTable table;
  table.path = path;
  std::string_view text = bytes;
  for (int line_number = 1; !text.empty(); ++line_number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    const std::string where = fmt::format("{}:{}", path, line_number);
    const std::vector<std::string_view> cells = cells_of(line);
    if (table.knobs.empty()) {
      if (cells.size() < 2 || cells.size() > kMaxBanditKnobs + 1) {
        input_error(where, fmt::format("{} columns are named", cells.size()),
                    fmt::format("name 1 to {} knobs and, last, the cost", kMaxBanditKnobs));
      }
      for (const std::string_view cell : cells) table.knobs.push_back(printable(std::string(cell)));
      table.cost = table.knobs.back();
      table.knobs.pop_back();
      continue;
    }
    if (cells.size() != table.knobs.size() + 1) {
      input_error(where,
                  fmt::format("has {} cells, and {} columns are named", cells.size(),
                              table.knobs.size() + 1),
                  "give a cell for each column");
    }
    BanditTable::Row row;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      const bool is_cost = c + 1 == cells.size();
      double value = 0;
      const char* const stop = cells[c].data() + cells[c].size();
      const auto [at, code] = std::from_chars(cells[c].data(), stop, value);
      const std::string what =
          fmt::format("{}: {} '{}'", where, is_cost ? table.cost : table.knobs[c],
                      printable(std::string(cells[c])));
      if (code != std::errc() || at != stop || !std::isfinite(value)) {
        input_error(what, "is not a number", "mend it, or remove the row");
      }
      if (is_cost && !(value > 0)) {
        input_error(what, "is not above 0", "mend it, or remove the row");
      }
      if (is_cost) {
        row.cost = value;
      } else {
        row.knob.push_back(value);
      }
    }
    table.rows.push_back(std::move(row));
    if (table.rows.size() > kMaxBanditRows) {
      input_error(where, fmt::format("more than {} rows", kMaxBanditRows),
                  "keep those that matter");
    }
  }
  if (table.rows.size() < 2) {
    input_error(path, "has less than two rows to choose from",
                "name a table with a line of names and a row per choice");
  }
  return table;
}

std::vector<BanditRow> play_bandit(const BanditTable& table, const BanditOptions& options) {
  const std::vector<Arm> arms = arms_of(table);
  const auto seeds = static_cast<std::size_t>(options.seeds);
  std::vector<BanditRow> rows(options.agents.size() * seeds);
  parallel_for(
      rows.size(), options.threads, options.stop,
      [&](std::size_t i) {
        rows[i] = play(table, arms, options.agents[i / seeds], options.first_seed + i % seeds,
                       options.pulls, options.noise_pct / 100);
      },
      [&](std::size_t done) {
        if (options.progress)
          options.progress(static_cast<double>(done) / static_cast<double>(rows.size()));
      });
  std::erase_if(rows, [](const BanditRow& row) { return row.agent.empty(); });
  return rows;
}

}  // namespace flyball
