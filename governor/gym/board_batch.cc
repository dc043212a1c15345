#include "governor/gym/board_batch.h"

#include <fmt/format.h>

#include "env/model/belief.h"
#include "env/model/model.h"
#include "env/scenario/plain_tasks.h"
#include "governor/metrics/session.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

GovernedPlatform with_tasks(GovernedPlatform governed, const std::string& scenario) {
  add_task_profiles(scenario, governed.spec);
  return governed;
}

/// Those that there is something to choose of.
std::vector<BoardBatch::Knob> knobs_of_board(const PlatformSpec& platform,
                                             const Scenario& scenario) {
  std::vector<BoardBatch::Knob> knobs;
  const auto add = [&](KnobSpec spec, const AppProfile* app) {
    BoardBatch::Knob knob{std::move(spec), {}};
    std::vector<std::string> values;
    for (std::size_t v = 0; v < knob.spec.values.size(); ++v) {
      if (knob.spec.kind == KnobSpec::Kind::kMapping && !runs_on(*app, platform.mappings[v]))
        continue;
      values.push_back(knob.spec.values[v]);
      knob.setting.push_back(static_cast<std::uint8_t>(v));
    }
    knob.spec.values = std::move(values);
    knobs.push_back(std::move(knob));
  };
  for (KnobSpec& knob : knobs_of(platform)) add(std::move(knob), nullptr);
  for (std::size_t a = 0; a < scenario.apps.size(); ++a) {
    const AppProfile& profile = platform.apps[static_cast<std::size_t>(scenario.apps[a].profile)];
    // Nobody maps a plain load, and it has no level.
    if (profile.plain_load) continue;
    for (KnobSpec& knob :
         knobs_of(platform, static_cast<int>(a), binding_of(scenario.apps[a], profile)))
      add(std::move(knob), &profile);
  }
  return knobs;
}

Features features_of_board(const PlatformSpec& platform, const Scenario& scenario,
                           const RewardWeights& weights) {
  MonitorTable table(platform, weights);
  std::vector<std::string> clusters, apps;
  for (const ClusterSpec& cluster : platform.clusters) clusters.push_back(cluster.name);
  for (const AppSpec& app : scenario.apps) {
    table.bind(static_cast<int>(apps.size()),
               binding_of(app, platform.apps[static_cast<std::size_t>(app.profile)]), app.required);
    apps.push_back(app.name);
  }
  return Features(table, clusters, apps);
}

}  // namespace

BoardBatch::BoardBatch(const std::string& platform, const std::string& scenario,
                       const Options& options)
    : options_(options),
      governed_(with_tasks(load_governed_platform(platform), scenario)),
      scenario_(load_scenario(scenario, governed_.spec)),
      weights_(reward_weights(Belief::of(governed_.spec))),
      knobs_(knobs_of_board(governed_.spec, scenario_)),
      features_(features_of_board(governed_.spec, scenario_, weights_)),
      boards_(static_cast<std::size_t>(options.count)) {
  if (scenario_.sensors.any()) {
    input_error(fmt::format("scenario '{}'", scenario_.name),
                "says what is wrong with sensors, which a batch of boards has none of",
                "take 'sensors' out, and spoil what is observed");
  }
  for (std::size_t i = 0; i < boards_.size(); ++i) {
    boards_[i].next_seed = options.seed + i;
    begin(boards_[i], nullptr);
  }
}

void BoardBatch::begin(Board& board, float* observation) {
  board.simulator =
      std::make_unique<Simulator>(governed_.spec, scenario_, SimOptions{.seed = board.next_seed});
  board.next_seed += static_cast<std::uint64_t>(options_.count);
  board.over = false;
  if (observation == nullptr) return;
  board.simulator->observe(*now_);
  features_.write(*now_, observation);
}

void BoardBatch::reset(const std::uint64_t* seeds, const std::uint8_t* mask, float* observations) {
  for (std::size_t i = 0; i < boards_.size(); ++i) {
    if (mask != nullptr && mask[i] == 0) continue;
    if (seeds != nullptr) boards_[i].next_seed = seeds[i];
    begin(boards_[i], observations + i * features_.size());
  }
}

std::string BoardBatch::problem(const std::int32_t* actions) const {
  for (std::size_t i = 0; i < boards_.size(); ++i) {
    if (boards_[i].over && options_.autoreset == Autoreset::kNextStep) continue;  // not looked at
    if (boards_[i].over) {
      return fmt::format("board {}: its episode is over; reset it, or choose an autoreset", i);
    }
    for (std::size_t k = 0; k < knobs_.size(); ++k) {
      const std::int32_t value = actions[i * knobs_.size() + k];
      if (value >= 0 && static_cast<std::size_t>(value) < knobs_[k].setting.size()) continue;
      return fmt::format("board {}: {} has no value {}; it takes 0 to {}", i, knobs_[k].spec.name,
                         value, knobs_[k].setting.size() - 1);
    }
  }
  return "";
}

Action BoardBatch::action_of(const std::int32_t* indices) const {
  Action action;
  for (std::size_t k = 0; k < knobs_.size(); ++k) {
    const Knob& knob = knobs_[k];
    const std::uint8_t setting = knob.setting[static_cast<std::size_t>(indices[k])];
    const auto of = static_cast<std::size_t>(knob.spec.index);
    switch (knob.spec.kind) {
      case KnobSpec::Kind::kFrequency:
        action.opp[of] = setting;
        break;
      case KnobSpec::Kind::kMapping:
        action.app[of].mapping = setting;
        break;
      case KnobSpec::Kind::kLevel:
        action.app[of].level = setting;
        break;
    }
  }
  return action;
}

void BoardBatch::step(const std::int32_t* actions, float* observations, double* rewards,
                      std::uint8_t* truncated, float* final_observations) {
  const EpochRequest epoch{.interval_ns = options_.epoch_ns};
  for (std::size_t i = 0; i < boards_.size(); ++i) {
    Board& board = boards_[i];
    float* observation = observations + i * features_.size();
    truncated[i] = 0;
    if (board.over) {
      begin(board, observation);
      rewards[i] = 0;
      continue;
    }
    board.simulator->apply(action_of(actions + i * knobs_.size()));
    const Status status = board.simulator->advance(epoch, *now_);
    judge(weights_, *now_, *reward_);
    rewards[i] = reward_->total();
    if (status == Status::kOk) {
      features_.write(*now_, observation);
      continue;
    }
    truncated[i] = 1;
    if (options_.autoreset != Autoreset::kSameStep) {
      board.over = true;
      features_.write(*now_, observation);
      continue;
    }
    if (final_observations != nullptr)
      features_.write(*now_, final_observations + i * features_.size());
    begin(board, observation);
  }
}

}  // namespace flyball
