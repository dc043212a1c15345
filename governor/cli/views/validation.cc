#include "governor/cli/views/validation.h"

#include <fmt/format.h>

#include <cmath>

#include "governor/cli/table.h"

namespace flyball::cli {
namespace {

/// On runs that played no part in learning or choosing.
std::string worth_text(const PairedDifference& gain) {
  if (gain.pairs < 2) return "Whether training helped was not tried.";
  const std::string figures = fmt::format(
      "{} a run (95 % interval {} to {}, {} runs that nothing was learned or chosen by)",
      fixed(gain.mean, 2), fixed(gain.lo, 2), fixed(gain.hi, 2), gain.pairs);
  if (gain.lo > 0)
    return "Training helped: the reward of what is kept is above what it began with by " + figures +
           ".";
  if (gain.hi < 0)
    return "Training made it worse: the reward of what is kept is below what it began with, by " +
           figures + ".";
  if (gain.lo == 0 && gain.hi == 0)
    return fmt::format(
        "Training changed nothing: what is kept does exactly what it began with, on {} runs that "
        "nothing was learned by.",
        gain.pairs);
  return "That training helped cannot be shown: the reward of what is kept differs from what it "
         "began with by " +
         figures + ".";
}

}  // namespace

std::string validation_text(const TrainedPolicy& trained) {
  if (!trained.kept) return "";
  const Checkpoint& kept = trained.checkpoints[*trained.kept];
  if (trained.kept == 0u)
    return "Training did not help: nothing that was learned did better than what it began with, "
           "which is what is kept: train longer, or on what varies more (--randomise).";
  return fmt::format("{} Kept is what learner {} had after {} episodes{}.",
                     worth_text(trained.gain), kept.lane + 1, kept.episodes,
                     trained.ended_early
                         ? "; nothing got better for half of the training, so it ended early"
                         : "");
}

Json validation_json(const TrainedPolicy& trained) {
  Json checkpoints = Json::array();
  for (const Checkpoint& one : trained.checkpoints) {
    checkpoints.push_back({{"lane", one.lane},
                           {"episodes", one.episodes},
                           {"reward", number_or_null(one.reward)},
                           {"energy_mj_per_job", number_or_null(one.energy_mj_per_job)},
                           {"deadline_miss_pct", number_or_null(one.deadline_miss_pct)}});
  }
  Json gain{{"mean", nullptr}, {"ci95", nullptr}, {"runs", trained.gain.pairs}};
  if (trained.gain.pairs >= 2) {
    gain["mean"] = number_or_null(trained.gain.mean);
    gain["ci95"] = {number_or_null(trained.gain.lo), number_or_null(trained.gain.hi)};
  }
  return {{"checkpoints", checkpoints},
          {"kept", trained.kept ? Json(*trained.kept) : Json(nullptr)},
          {"reward_gain", gain},
          {"verdict", validation_text(trained)}};
}

std::string validation_csv(const TrainedPolicy& trained) {
  std::string text =
      std::string(kValidationCsvStart) + "energy_mj_per_job,deadline_miss_pct,kept\n";
  for (std::size_t i = 0; i < trained.checkpoints.size(); ++i) {
    const Checkpoint& one = trained.checkpoints[i];
    text += fmt::format("{},{},{},{},{},{}\n", one.lane + 1, one.episodes, one.reward,
                        one.energy_mj_per_job, one.deadline_miss_pct, i == trained.kept ? 1 : 0);
  }
  return text;
}

report::Figure validation_figure(const TrainedPolicy& trained, const std::string& agent) {
  report::Figure figure{
      "learning_curve",
      "How " + agent + " did while it learned",
      "Mean reward of a run on seeds that no learner learns from. The point is what "
      "was kept.",
      {.label = "episodes learned from", .unit = ""},
      {.label = "reward of a run", .unit = ""}};
  int lanes = 0;
  for (const Checkpoint& one : trained.checkpoints) lanes = std::max(lanes, one.lane + 1);
  const Checkpoint& first = trained.checkpoints.front();
  for (int lane = 0; lane < lanes; ++lane) {
    report::Series line{.name = fmt::format("learner {}", lane + 1),
                        .kind = report::Series::Kind::kLine,
                        .colour = lane};
    line.x.push_back(first.episodes);
    line.y.push_back(first.reward);
    for (std::size_t i = 1; i < trained.checkpoints.size(); ++i) {
      const Checkpoint& one = trained.checkpoints[i];
      if (one.lane != lane) continue;
      line.x.push_back(one.episodes);
      line.y.push_back(one.reward);
    }
    figure.series.push_back(std::move(line));
  }
  if (!trained.kept) return figure;
  const Checkpoint& kept = trained.checkpoints[*trained.kept];
  figure.series.push_back({.name = "kept",
                           .colour = lanes,
                           .x = {static_cast<double>(kept.episodes)},
                           .y = {kept.reward}});
  return figure;
}

}  // namespace flyball::cli
